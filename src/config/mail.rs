//! `[mail]`: where notices go, and whom they are from.

use http::Uri;

use super::reader::{Reader, as_text};
use crate::notices::post::{Place, Settings, Smtp};

pub(super) fn read(section: &mut Reader<'_>) -> Option<Settings> {
    let from = section.setting("from", None, |value| {
        let text = as_text(value)?;
        let mailbox = text.parse::<lettre::message::Mailbox>().ok().filter(|_| text.is_ascii() && text.len() <= 300);
        mailbox
            .map(|_| text)
            .ok_or_else(|| "is not a sender; write for instance \"Hjemmel <hjemmel@example.dk>\", of ASCII".to_owned())
    });
    let console = section.setting("console", Some(None), |value| {
        let text = as_text(value)?;
        let uri = text.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
        uri.map(|_| Some(text)).ok_or_else(|| "is not an https address; write where the console is".to_owned())
    });
    let beside = section.folder;
    let folder = section.setting("folder", Some(None), |value| Ok(Some(beside.join(as_text(value)?))));
    let smtp = section.setting("smtp", Some(None), |value| server(&as_text(value)?).map(Some));
    let implicit = section.choice("tls", Some(false), &[("starttls", false), ("implicit", true)]);
    let roots = section.certificates("roots", false);
    let user = section.optional_file("user_file");
    let password = section.optional_file("password_file");
    let (from, console, folder, smtp, implicit, roots) = (from?, console?, folder?, smtp?, implicit?, roots?);
    let login = match (user?, password?) {
        (Some(user), Some(password)) => {
            section.note("user_file", &user, Vec::new(), false);
            section.note("password_file", &password, Vec::new(), true);
            Some((user, password))
        }
        (None, None) => None,
        _ => {
            section.problem_at(
                "password_file",
                "is given without the other; give both user_file and password_file, or none".to_owned(),
            );
            return None;
        }
    };
    let place = match (folder, smtp) {
        (Some(folder), None) => Place::Folder(folder),
        (None, None) => Place::Folder(beside.join("notices")),
        (None, Some((host, port))) => Place::Smtp(Box::new(Smtp { host, port, implicit, roots, login })),
        (Some(_), Some(_)) => {
            section.problem_at("smtp", "is given beside folder; letters go to the one or the other".to_owned());
            return None;
        }
    };
    Some(Settings { place, from, console })
}

/// `HOST:PORT`. The name is the one that the server's certificate has.
fn server(text: &str) -> Result<(String, u16), String> {
    let wrong = || "is not a server; write its name and port, as \"smtp.example.dk:587\"".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    match port > 0 && (1..=253).contains(&host.len()) && host.bytes().all(plain) {
        true => Ok((host.to_owned(), port)),
        false => Err(wrong()),
    }
}
