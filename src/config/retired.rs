//! Settings that are not read any more, and where each stands now.

use toml::Spanned;

use super::reader::Reader;

/// A setting of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub struct Retired {
    /// Its section, or `None` where it stood at the top; with `key` empty, the whole section.
    pub section: Option<&'static str>,
    pub key: &'static str,
    /// Where it stands now.
    pub now: &'static str,
}

/// Where the store was named while it could only be a file of agreements.
pub(super) const STORE: &[Retired] =
    &[Retired { section: Some("agreements"), key: "store", now: "url = \"sqlite:PATH\" in [store]" }];

/// Reports the settings of before that are in the file, and says whether there were any.
pub(super) fn report(root: &mut Reader<'_>, retired: &'static [Retired]) -> bool {
    let mut any = false;
    for Retired { section, key, now } in retired {
        let (top, inner) = match section {
            Some(section) => (*section, Some(*key).filter(|key| !key.is_empty())),
            None => (*key, None),
        };
        if !root.has_any(&[top]) {
            continue;
        }
        let Some(value) = root.find(top) else { continue };
        let span = match inner {
            None => Some(value.span()),
            Some(inner) => {
                let written = value.get_ref().as_table().into_iter().flatten().find(|(name, _)| name.get_ref().as_ref() == inner);
                written.map(|(name, _)| Spanned::span(name))
            }
        };
        if let Some(span) = span {
            any = true;
            let setting = inner.map_or_else(|| top.to_owned(), |inner| format!("{top}.{inner}"));
            let text = format!("has moved; write {now}: `hjemmel check --migrate FILE` writes the new file");
            root.problem(&setting, Some(span), text);
        }
    }
    any
}
