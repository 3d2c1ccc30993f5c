//! `[objects]`: where contents of files lie, and the keys that they are encrypted under.

use http::Uri;
use toml::de::DeValue;

use super::reader::{Reader, as_text};
use super::sections::seconds;
use crate::objects::settings::{Place, S3, Settings};

/// What `url` names.
#[derive(Debug)]
enum Url {
    Folder(std::path::PathBuf),
    Bucket { bucket: String, prefix: String },
}

/// A folder or a bucket.
pub(super) fn read_place(section: &mut Reader<'_>) -> Option<Place> {
    match url(section)? {
        Url::Folder(path) => Some(Place::Folder(path)),
        Url::Bucket { bucket, prefix } => Some(Place::S3(Box::new(s3(section, bucket, prefix)?))),
    }
}

pub(super) fn read(section: &mut Reader<'_>) -> Option<Settings> {
    let place = read_place(section);
    let key = section.file("key");
    let earlier_keys = section.files("earlier_keys");
    let part_bytes = section.size("part_bytes", 8 << 20, 5 << 20..=64 << 20);
    Some(Settings { place: place?, key: key?, earlier_keys: earlier_keys?, part_bytes: part_bytes? })
}

fn url(section: &mut Reader<'_>) -> Option<Url> {
    let folder = section.folder;
    section.setting("url", None, |value| {
        const FORM: &str = "write \"file:PATH\" for a folder, or \"s3://BUCKET/PREFIX\"";
        let text = as_text(value)?;
        if let Some(path) = text.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Ok(Url::Folder(folder.join(path)));
        }
        let (bucket, prefix) =
            text.strip_prefix("s3://").map(|rest| rest.split_once('/').unwrap_or((rest, ""))).unwrap_or_default();
        let prefix = prefix.trim_matches('/');
        let is_plain = |text: &str, others: &[u8]| {
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || others.contains(&byte))
        };
        // Bucket names as S3 has them; a prefix of the same letters needs no escaping anywhere.
        match (3..=63).contains(&bucket.len()) && is_plain(bucket, b"-.") && is_plain(prefix, b"-./") && !prefix.contains("//") {
            true => Ok(Url::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() }),
            false => Err(format!("is not the place of an object store; {FORM}, of a-z, 0-9, hyphen and full stop")),
        }
    })
}

/// An address in TLS, or of a server beside the gateway.
pub(super) fn https_or_loopback(value: &DeValue<'_>) -> Option<Uri> {
    let uri: Uri = as_text(value).ok()?.parse().ok()?;
    let fits = match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => !host.is_empty(),
        (Some("http"), Some(host)) => ["127.0.0.1", "[::1]", "localhost"].contains(&host),
        _ => false,
    };
    fits.then_some(uri)
}

fn s3(section: &mut Reader<'_>, bucket: String, prefix: String) -> Option<S3> {
    let endpoint = section.setting("endpoint", Some(None), |value| match https_or_loopback(value) {
        Some(uri) => Ok(Some(uri.to_string().trim_end_matches('/').to_owned())),
        None => Err("is not an https address; write for instance \"https://s3.example\"".to_owned()),
    });
    let region = section.text("region", Some("us-east-1"));
    let roots = section.certificates("roots", false);
    let access_key_id = section.file("access_key_id");
    let secret_access_key = section.file("secret_access_key");
    let virtual_hosted = section.flag("virtual_hosted", false);
    let checksum = section.flag("checksum", true);
    let bulk_delete = section.flag("bulk_delete", true);
    let timeout = section.duration("timeout", seconds(30), seconds(1)..=seconds(300));
    Some(S3 {
        bucket,
        prefix,
        endpoint: endpoint?,
        region: region?,
        roots: roots?,
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        virtual_hosted: virtual_hosted?,
        checksum: checksum?,
        bulk_delete: bulk_delete?,
        timeout: timeout?,
    })
}
