//! Against a real SMTP server, written here from RFC 5321 and RFC 3207: it speaks TLS, says no, and keeps what it was given.

use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::stub::pki::{Role, for_tests};

/// What the server does.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    /// STARTTLS, and takes letters.
    Takes,
    /// The same with TLS from the first byte.
    TakesInTls,
    /// Offers no STARTTLS.
    InClear,
    /// Says this of whom it is for.
    Says(&'static str),
    /// Hangs up after the letter, without an answer.
    HangsUp,
}

struct Server {
    port: u16,
    /// What came before TLS, and every letter whole.
    heard: Arc<Mutex<(Vec<String>, Vec<String>)>>,
}

impl Server {
    async fn start(does: Does) -> Self {
        let own = for_tests().credentials(Role::GatewayServer).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(own.chain().to_vec(), own.key().clone_key())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("localhost:0").await.unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), heard: Arc::default() };
        let heard = server.heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), does, heard.clone()));
            }
        });
        server
    }

    fn settings(&self, roots: Vec<CertificateDer<'static>>, implicit: bool) -> Settings {
        let smtp = Smtp { host: "localhost".to_owned(), port: self.port, implicit, roots, login: None };
        Settings { place: Place::Smtp(Box::new(smtp)), from: "Hjemmel <hjemmel@example.dk>".to_owned(), console: None }
    }

    async fn send(&self, letter: &Letter) -> Result<(), PostError> {
        let post = Post::new(self.settings(vec![for_tests().root().clone()], false));
        post.send(Uuid::from_u128(7), "jensen@example.dk", letter).await
    }

    fn letters(&self) -> Vec<String> {
        self.heard.lock().unwrap().1.clone()
    }
}

async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, does: Does, heard: Arc<Mutex<(Vec<String>, Vec<String>)>>) {
    if does == Does::TakesInTls {
        if let Ok(stream) = acceptor.accept(stream).await {
            let _ = converse(stream, does, true, true, heard).await;
        }
        return;
    }
    if converse(&mut stream, does, true, false, heard.clone()).await.is_ok_and(|starts| starts)
        && let Ok(stream) = acceptor.accept(stream).await
    {
        let _ = converse(stream, does, false, true, heard).await;
    }
}

/// Speaks until the client leaves; true where TLS is to begin.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    does: Does,
    greets: bool,
    in_tls: bool,
    heard: Arc<Mutex<(Vec<String>, Vec<String>)>>,
) -> std::io::Result<bool> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 localhost\r\n").await?;
    }
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let command = line.trim_end().to_ascii_uppercase();
        if !in_tls {
            heard.lock().unwrap().0.push(command.clone());
        }
        let answer = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if in_tls || does == Does::InClear => "250 localhost",
            "EHLO" => "250-localhost\r\n250 STARTTLS",
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n").await?;
                stream.flush().await?;
                return Ok(true);
            }
            "RCPT" => match does {
                Does::Says(answer) => answer,
                _ => "250 ok",
            },
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                let mut letter = String::new();
                loop {
                    line.clear();
                    stream.read_line(&mut line).await?;
                    if line == ".\r\n" {
                        break;
                    }
                    letter += &line;
                }
                heard.lock().unwrap().1.push(letter);
                if does == Does::HangsUp {
                    return Ok(false);
                }
                "250 kept"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(false);
            }
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn letter(subject: &str) -> Letter {
    Letter { subject: subject.to_owned(), body: "Der er anmodet om en serviceaftale på vegne af jer.\n.\nSe: /\n".to_owned() }
}

#[tokio::test]
async fn a_letter_goes_by_starttls_and_nothing_of_it_before() {
    let server = Server::start(Does::Takes).await;
    server.send(&letter("Anmodning om serviceaftale: Sygedagpenge på tværs")).await.unwrap();
    let before = server.heard.lock().unwrap().0.clone();
    assert!(before.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{before:?}");
    let letters = server.letters();
    assert_eq!(letters.len(), 1);
    for header in [
        "From: Hjemmel <hjemmel@example.dk>",
        "To: jensen@example.dk",
        "Message-ID: <00000000-0000-0000-0000-000000000007@example.dk>",
    ] {
        assert!(letters[0].contains(header), "{header} in {}", letters[0]);
    }
}

#[tokio::test]
async fn a_letter_goes_by_tls_from_the_first_byte() {
    let server = Server::start(Does::TakesInTls).await;
    let post = Post::new(server.settings(vec![for_tests().root().clone()], true));
    post.send(Uuid::from_u128(7), "jensen@example.dk", &letter("Advis")).await.unwrap();
    assert_eq!(server.letters().len(), 1);
}

#[tokio::test]
async fn without_a_believed_certificate_or_without_starttls_nothing_is_said() {
    let server = Server::start(Does::Takes).await;
    // The machine's own CAs know nothing of the test's.
    let refused = Post::new(server.settings(Vec::new(), false)).send(Uuid::nil(), "jensen@example.dk", &letter("Advis")).await;
    assert!(matches!(&refused, Err(PostError::NotNow(_))), "{refused:?}");
    assert!(server.letters().is_empty());
    let server = Server::start(Does::InClear).await;
    let refused = server.send(&letter("Advis")).await;
    assert!(matches!(&refused, Err(PostError::NotNow(_))), "{refused:?}");
    let heard = server.heard.lock().unwrap().0.clone();
    assert!(!heard.iter().any(|line| line.starts_with("MAIL") || line.contains("JENSEN")), "{heard:?}");
}

#[tokio::test]
async fn what_the_server_refuses_for_good_is_told_apart_from_what_it_refuses_now() {
    let later = Server::start(Does::Says("450 4.2.1 greylisted, jensen@example.dk")).await.send(&letter("Advis")).await;
    assert!(matches!(&later, Err(PostError::NotNow(why)) if why.contains("450") && !why.contains("jensen")), "{later:?}");
    let never = Server::start(Does::Says("550 5.1.1 no such user")).await.send(&letter("Advis")).await;
    assert!(matches!(&never, Err(PostError::Refused(why)) if why.contains("550")), "{never:?}");
    let lost = Server::start(Does::HangsUp).await.send(&letter("Advis")).await;
    assert!(matches!(&lost, Err(PostError::NotNow(_))), "{lost:?}");
}

/// lettre itself is handed what the letter would never hold.
#[tokio::test]
async fn a_line_break_in_a_name_makes_no_header() {
    let server = Server::start(Does::Takes).await;
    for subject in ["A\r\nBcc: evil@example.dk", "A\nX-Evil: 1", "Ø\r\n\r\nbody", "A\rB"] {
        let _ = server.send(&letter(subject)).await;
    }
    for letter in server.letters() {
        let headers = letter.split("\r\n\r\n").next().unwrap();
        assert!(!headers.lines().any(|line| line.starts_with("Bcc") || line.starts_with("X-Evil")), "{headers}");
        assert!(!headers.replace("\r\n", "").contains(['\r', '\n']), "{headers:?}");
        assert!(!letter.starts_with("body"), "{letter}");
    }
}

#[tokio::test]
async fn in_a_folder_a_letter_lies_whole_and_for_the_gateways_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("notices");
    let settings = Settings { place: Place::Folder(folder.clone()), from: "hjemmel@example.dk".to_owned(), console: None };
    let post = Post::new(settings);
    for _ in 0..2 {
        post.send(Uuid::from_u128(7), "jensen@example.dk", &letter("Advis")).await.unwrap();
    }
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "the same letter twice is one file: {files:?}");
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&files[0]).unwrap().contains("Subject: Advis"));
}
