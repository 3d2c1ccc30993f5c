//! `hjemmel check --migrate`: a configuration of before, in the present form: services and peers have names, and the store a
//! section of its own.
//!
//! The text is spliced where the parser says that a setting or a header stands, so that comments, order, values and whatever
//! else is in the file stay as their owner wrote them.

use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The names that the one service and its peer are given. The service's is the one that audit and metrics had all along.
const SERVICE: &str = "terminaladgang-6";
const PEER: &str = "ydelsesindeks";
/// What `[index] entity_id` was where it was not written.
const ENTITY_ID: &str = "http://entityid.kombit.dk/service/ydi/ydelseindeks/6";

/// Writes the present form of `file` to `out`, or beside it, and gives the path of what it wrote. Nothing is overwritten.
///
/// # Errors
/// What keeps it from being converted or written, and what to do.
pub fn migrate(file: &Path, out: Option<&Path>) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| crate::cli::file::describe(file, &error).to_string();
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let migrated = migrated(&text).map_err(|why| format!("{}: {why}", file.display()))?;
    let out = out.map_or_else(|| file.with_extension("new.toml"), Path::to_owned);
    let not_written = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{} is there already and is not overwritten; move it, or name another file with --out", out.display())
        }
        _ => crate::cli::file::describe(&out, &error).to_string(),
    };
    let mut written = std::fs::OpenOptions::new().write(true).create_new(true).open(&out).map_err(not_written)?;
    let rights = std::fs::metadata(file).map(|data| data.permissions());
    let done = rights.and_then(|rights| written.set_permissions(rights)).and_then(|()| written.write_all(migrated.as_bytes()));
    done.and_then(|()| written.sync_all()).map_err(not_written)?;
    Ok(out)
}

/// The present form of a configuration.
///
/// # Errors
/// Why it has none.
pub(crate) fn migrated(text: &str) -> Result<String, String> {
    let table = DeTable::parse(text).map_err(|error| format!("is not TOML ({}); correct it first", error.message()))?;
    let file = Old { text, table: table.get_ref() };
    let mut edits = file.store_in_a_section_of_its_own()?;
    if file.has_names("service") || file.has_names("peer") {
        if edits.is_empty() {
            return Err("has services or peers with names already; move what is left of the old form by hand".to_owned());
        }
        return Ok(spliced(text, edits));
    }
    let service = match file.section("service")? {
        Some(service) => service,
        None if edits.is_empty() => return Err("has no [service]; there is nothing to convert".to_owned()),
        None => return Ok(spliced(text, edits)),
    };
    let (policy, index) = (file.section("policy")?, file.section("index")?);
    let udk = file.top("udk_cvr")?;

    edits.push(Edit { at: service.header.clone(), with: format!("[service.{SERVICE}]\nkind = \"terminaladgang\"") });
    let mut moved = String::new();
    if let Some(udk) = udk {
        moved += &format!("\n{}\n", file.text(&udk).trim_end());
        edits.push(Edit { at: file.and_the_empty_line_behind(udk), with: String::new() });
    }
    if let Some(policy) = policy {
        let renamed = [("directory", "policies"), ("name", "policy")];
        moved += &format!("\n{}\n", file.renamed(&policy, &renamed).trim());
        edits.push(Edit { at: policy.whole, with: String::new() });
    }
    if let Some(index) = index {
        moved += &format!("\n# The benefit index.\npeer = \"{PEER}\"\n");
        let body = file.text(&index.body());
        let (commented, own) = (format!("# entity_id = \"{ENTITY_ID}\"\n"), format!("entity_id = \"{ENTITY_ID}\""));
        let mut header = format!("[peer.{PEER}]");
        if !file.has("index", "entity_id") {
            match body.find(&commented) {
                Some(place) => {
                    let start = index.header.end + place;
                    edits.push(Edit { at: start..start + commented.len() - 1, with: own });
                }
                None => header += &format!("\n{own}"),
            }
        }
        edits.push(Edit { at: index.header, with: header });
    }
    let end = service.header.end + file.text(&service.body()).trim_end().len();
    edits.push(Edit { at: end..end, with: format!("\n{}", moved.trim_end()) });
    Ok(spliced(text, edits))
}

/// What takes the place of a part of the text.
struct Edit {
    at: Range<usize>,
    with: String,
}

/// Makes the edits, of which no two overlap.
fn spliced(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| (edit.at.start, edit.at.end));
    let (mut done, mut from) = (String::new(), 0);
    for Edit { at, with } in edits {
        done += text.get(from..at.start).unwrap_or_default();
        done += &with;
        from = at.end;
    }
    done + text.get(from..).unwrap_or_default()
}

/// A file of before.
struct Old<'t> {
    text: &'t str,
    table: &'t DeTable<'t>,
}

/// A section that begins with a header.
struct Section {
    header: Range<usize>,
    /// From the comment right above the header to the one above the next header.
    whole: Range<usize>,
}

impl Section {
    fn body(&self) -> Range<usize> {
        self.header.end..self.whole.end
    }
}

impl<'t> Old<'t> {
    fn text(&self, at: &Range<usize>) -> &'t str {
        self.text.get(at.clone()).unwrap_or_default()
    }

    fn find(&self, key: &str) -> Option<(Range<usize>, &'t Spanned<DeValue<'t>>)> {
        let found = self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key);
        found.map(|(name, value)| (name.span(), value))
    }

    fn has(&self, section: &str, key: &str) -> bool {
        let table = self.find(section).and_then(|(_, value)| value.get_ref().as_table());
        table.is_some_and(|table| table.iter().any(|(name, _)| name.get_ref().as_ref() == key))
    }

    /// Whether a section has sections of its own, as those of the present form.
    fn has_names(&self, section: &str) -> bool {
        let table = self.find(section).and_then(|(_, value)| value.get_ref().as_table());
        table.is_some_and(|table| table.iter().any(|(_, value)| value.get_ref().is_table()))
    }

    fn section(&self, name: &str) -> Result<Option<Section>, String> {
        let Some((_, value)) = self.find(name) else { return Ok(None) };
        let header = value.span();
        let flat = value.get_ref().as_table().is_some_and(|table| table.iter().all(|(key, _)| key.span().start > header.end));
        if !self.text(&header).starts_with('[') || !flat {
            return Err(format!("{name} is not written as a section; write it below a header, [{name}], and try again"));
        }
        let headers = self.table.iter().map(|(_, value)| value.span().start).filter(|start| *start > header.start);
        let next = headers.filter(|start| self.text.get(*start..).is_some_and(|rest| rest.starts_with('['))).min();
        let end = next.map_or(self.text.len(), |next| self.with_comment(next));
        let whole = self.with_comment(header.start)..end;
        Ok(Some(Section { header, whole }))
    }

    /// What moves `[agreements] store`, with its comment, to a section before it. Nothing where it is not written.
    fn store_in_a_section_of_its_own(&self) -> Result<Vec<Edit>, String> {
        let Some((_, value)) = self.find("agreements").filter(|_| self.has("agreements", "store")) else { return Ok(Vec::new()) };
        if self.find("store").is_some() {
            return Err("has a [store] and [agreements] store; remove the one that is not meant".to_owned());
        }
        let agreements = self.section("agreements")?.ok_or("has no [agreements]")?;
        let store = value.get_ref().as_table().into_iter().flatten().find(|(name, _)| name.get_ref().as_ref() == "store");
        let (name, path) = store.ok_or("has no [agreements] store")?;
        let written = self.text(&path.span());
        let quotes = written.len() - written.trim_start_matches(['"', '\'']).len();
        let quotes = if quotes >= 3 { 3 } else { 1 };
        let (open, rest) =
            written.split_at_checked(quotes).filter(|_| path.get_ref().as_str().is_some()).ok_or("store is no text")?;
        let end = self.text.get(path.span().end..).and_then(|rest| rest.find('\n'));
        let end = end.map_or(self.text.len(), |end| path.span().end + end + 1);
        let lines = self.with_comment(name.span().start)..end;
        let comment = self.text(&(lines.start..name.span().start));
        let behind = self.text(&(path.span().end..end)).trim_end();
        let start = agreements.whole.start;
        Ok(vec![
            Edit { at: start..start, with: format!("[store]\n{comment}url = {open}sqlite:{rest}{behind}\n\n") },
            Edit { at: self.and_the_empty_line_behind(lines), with: String::new() },
        ])
    }

    /// A setting at the top of the file, with its comment and its line's end.
    fn top(&self, key: &str) -> Result<Option<Range<usize>>, String> {
        let Some((name, value)) = self.find(key) else { return Ok(None) };
        let end = self.text.get(value.span().end..).and_then(|rest| rest.find('\n'));
        let end = end.map_or(self.text.len(), |end| value.span().end + end + 1);
        Ok(Some(self.with_comment(name.start)..end))
    }

    /// Where the comment begins that stands right above the line of `place`; that line itself where there is none.
    fn with_comment(&self, place: usize) -> usize {
        let mut start = self.text.get(..place).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
        while let Some(above) = self.text.get(..start.saturating_sub(1)) {
            let line = above.rfind('\n').map_or(0, |end| end + 1);
            if start == 0 || !above.get(line..).is_some_and(|line| line.trim_start().starts_with('#')) {
                break;
            }
            start = line;
        }
        start
    }

    fn and_the_empty_line_behind(&self, at: Range<usize>) -> Range<usize> {
        let rest = self.text.get(at.end..).unwrap_or_default();
        let empty = rest.find('\n').filter(|end| rest.get(..*end).is_some_and(|line| line.trim().is_empty()));
        at.start..empty.map_or(at.end, |end| at.end + end + 1)
    }

    /// The body of a section and the comment above its header, with other names for its keys, those too that are commented out.
    fn renamed(&self, section: &Section, names: &[(&str, &str)]) -> String {
        let keys = self.table.iter().filter(|(_, value)| value.span() == section.header);
        let keys = keys.filter_map(|(_, value)| value.get_ref().as_table()).flatten();
        let mut edits = vec![Edit { at: section.header.clone(), with: String::new() }];
        for (key, _) in keys {
            if let Some((_, new)) = names.iter().find(|(old, _)| *old == key.get_ref().as_ref()) {
                edits.push(Edit { at: key.span(), with: (*new).to_owned() });
            }
        }
        let from = section.whole.start;
        edits.iter_mut().for_each(|edit| edit.at = edit.at.start - from..edit.at.end - from);
        let body = spliced(self.text(&section.whole), edits);
        let line = |line: &str| {
            let mut line = line.to_owned();
            for (old, new) in names {
                if let Some(rest) = line.strip_prefix(&format!("# {old} =")) {
                    line = format!("# {new} ={rest}");
                }
            }
            line + "\n"
        };
        body.lines().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "udk_cvr = \"99999991\" # theirs\nenvironment = \"prod\"\n\n# Ours.\n[service]\nentity_id = \"urn:x\" # so\n\n# Below.\n[policy]\n\"directory\" = 'p'\n# name = \"q\"\n[index]\naddress = \"https://i\"\n";

    #[test]
    fn every_comment_and_value_goes_where_its_setting_goes() {
        let new = "environment = \"prod\"\n\n# Ours.\n[service.terminaladgang-6]\nkind = \"terminaladgang\"\nentity_id = \"urn:x\" # so\n\
                   \nudk_cvr = \"99999991\" # theirs\n\n# Below.\n\npolicies = 'p'\n\n# The benefit index.\npeer = \"ydelsesindeks\"\n\n\
                   # name = \"q\"\n[peer.ydelsesindeks]\nentity_id = \"http://entityid.kombit.dk/service/ydi/ydelseindeks/6\"\n\
                   address = \"https://i\"\n";
        assert_eq!(migrated(OLD).unwrap(), new);
    }

    #[test]
    fn the_store_goes_with_its_comment_and_nothing_else_is_touched() {
        let old =
            "[service.a]\nkind = \"x\"\n\n# Ours.\n[agreements]\n# The file.\nstore = 'a.sqlite' # here\n\ncache_ttl = \"1s\"\n";
        let new = "[service.a]\nkind = \"x\"\n\n[store]\n# The file.\nurl = 'sqlite:a.sqlite' # here\n\n# Ours.\n[agreements]\ncache_ttl = \"1s\"\n";
        assert_eq!(migrated(old).unwrap(), new);
        assert!(migrated(&format!("{old}[store]\nurl = \"sqlite:b\"\n")).unwrap_err().contains("remove the one"));
        assert!(migrated("agreements = { store = \"a\" }").unwrap_err().contains("write it below a header"));
    }

    #[test]
    fn what_cannot_be_converted_says_why() {
        let cases = [
            ("x = ", "is not TOML"),
            ("environment = \"prod\"", "there is nothing to convert"),
            ("service = { entity_id = \"urn:x\" }", "service is not written as a section; write it below a header, [service]"),
            ("service.entity_id = \"urn:x\"", "service is not written as a section"),
            ("[service.a]\nkind = \"terminaladgang\"", "has services or peers with names already"),
            ("[service]\nentity_id = \"x\"\n[peer.a]\nx = 1", "has services or peers with names already"),
        ];
        for (text, says) in cases {
            let why = migrated(text).unwrap_err();
            assert!(why.contains(says), "{text}: {why}");
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hjemmel.toml");
        std::fs::write(&file, OLD).unwrap();
        assert_eq!(migrate(&file, None).unwrap(), dir.path().join("hjemmel.new.toml"));
        let again = migrate(&file, None).unwrap_err();
        assert!(again.contains("hjemmel.new.toml is there already and is not overwritten; move it, or name another"), "{again}");
        assert!(migrate(&file, Some(&file)).unwrap_err().contains("is not overwritten"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), OLD);
    }
}
