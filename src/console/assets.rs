//! Style sheets, fonts and pictures. Our own style sheet is in the program; the common design system's files are those that a
//! folder had when the node started, and no path of a request becomes one of the disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path as Asked, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::Console;
use super::stop::Stop;
use crate::refusal::console::ConsoleRefusal;

/// Over the design system's, or alone.
const OWN: &str = include_str!("own.css");
/// For the browser's tab.
const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><path fill=\"#00426b\" d=\"M0 0h16v16H0z\"/>\
     <path fill=\"#fff\" d=\"M4 3h2v4h4V3h2v10h-2V9H6v4H4z\"/></svg>";
/// The most files that a folder may have.
const MOST: usize = 5_000;
/// The largest file that is served.
const LARGEST: u64 = 4 << 20;
/// Within the folder, how deep.
const DEEPEST: usize = 6;
/// What is served, by the end of its name.
const KINDS: [(&str, &str); 5] = [
    (".css", "text/css; charset=utf-8"),
    (".woff2", "font/woff2"),
    (".woff", "font/woff"),
    (".svg", "image/svg+xml"),
    (".png", "image/png"),
];

/// The files of a folder, by their names in addresses.
#[derive(Debug, Clone, Default)]
pub struct Assets(Arc<BTreeMap<String, (PathBuf, &'static str)>>);

impl Assets {
    /// What the folder holds of what is served.
    ///
    /// # Errors
    /// A folder that cannot be read, or that is not the design system's.
    pub fn of(folder: &Path) -> std::io::Result<Self> {
        let mut found = BTreeMap::new();
        gather(folder, "", 0, &mut found)?;
        if !found.contains_key(STYLE) {
            let text = format!("{} has no {STYLE}: name the folder `dist` of the npm package dkfds", folder.display());
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, text));
        }
        Ok(Self(Arc::new(found)))
    }

    /// Whether the design system is there.
    pub fn is_there(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The design system's style sheet.
const STYLE: &str = "css/dkfds.min.css";

fn gather(
    folder: &Path,
    above: &str,
    depth: usize,
    found: &mut BTreeMap<String, (PathBuf, &'static str)>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let (path, named) = (entry.path(), format!("{above}{name}"));
        // A link may lead out of the folder.
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < DEEPEST {
            gather(&path, &format!("{named}/"), depth + 1, found)?;
        } else if kind.is_file()
            && found.len() < MOST
            && entry.metadata()?.len() <= LARGEST
            && let Some((_, media_type)) = KINDS.iter().find(|(end, _)| name.ends_with(end))
        {
            found.insert(named, (path, *media_type));
        }
    }
    Ok(())
}

pub(super) fn router() -> Router<Console> {
    Router::new().route("/own.css", get(own)).route("/icon.svg", get(icon)).route("/dkfds/{*path}", get(file))
}

async fn own() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=300")], OWN).into_response()
}

async fn icon() -> Response {
    ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "max-age=86400")], ICON).into_response()
}

async fn file(State(console): State<Console>, Asked(path): Asked<String>) -> Result<Response, Stop> {
    let (file, media_type) = console.assets.0.get(&path).ok_or(ConsoleRefusal::ConsolePageUnknown)?;
    let bytes = tokio::fs::read(file).await.map_err(|_| ConsoleRefusal::ConsolePageUnknown)?;
    Ok(([(CONTENT_TYPE, *media_type), (CACHE_CONTROL, "max-age=86400")], bytes).into_response())
}
