//! A document larger than memory, read as a row of small ones: each is the root with some of its children.
//!
//! The whole is read by one [`Scanner`], so that the pieces together are judged as the document would be: its namespaces, its
//! bounds, what stands behind its end.

use std::io::{self, Read};

use bytes::Bytes;

use super::document::{Document, DocumentBuilder};
use super::reading::Reading;
use super::scan::{End, Scanner};
use super::strict::{Limits, Token, too_complex};
use crate::refusal::Refusal;

/// How much is read at once, in bytes.
const READ: usize = 64 * 1024;

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the names say it
pub enum Unread {
    /// The bytes are not what the strict subset allows.
    #[error("not XML that is read here")]
    Content(Refusal),
    #[error(transparent)]
    File(#[from] io::Error),
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Self {
        Self::Content(refusal)
    }
}

/// Reads a document piece by piece. A piece ends behind each child of the root that has the name that it is told.
pub struct Pieces<R> {
    from: R,
    buffer: Vec<u8>,
    scanner: Scanner,
    name: (String, String),
    limits: Limits,
    longest: usize,
    /// The root's start tag, from which each piece begins.
    root: Option<DocumentBuilder>,
    /// Of the piece that is being read: nodes, and where it begins, in bytes.
    nodes: usize,
    begins: usize,
    ended: bool,
}

impl<R: Read> Pieces<R> {
    /// `limits` hold for a piece, and those of names for the whole; no piece may be longer than `longest` bytes.
    pub fn new(from: R, (namespace, local): (&str, &str), limits: Limits, longest: usize) -> Self {
        let name = (namespace.to_owned(), local.to_owned());
        let scanner = Scanner::new(Limits { nodes: usize::MAX, ..limits });
        Self { from, buffer: vec![0; READ], scanner, name, limits, longest, root: None, nodes: 0, begins: 0, ended: false }
    }

    /// The next piece. The last is what follows the last child of the name, and may hold nothing; after it comes `None`.
    ///
    /// # Errors
    /// [`Unread`]; nothing may be read after one.
    pub fn next_piece(&mut self) -> Result<Option<Document>, Unread> {
        if self.ended {
            return Ok(None);
        }
        let mut piece = self.root.clone().unwrap_or_default();
        loop {
            let token = self.token()?;
            let depth = self.scanner.depth();
            self.bounded(token)?;
            // Outside the root nothing is judged but by the scanner; comments there belong to no piece.
            if self.root.is_some() || matches!(token, Token::Start | Token::Empty) {
                piece.add(token, &self.scanner, self.scanner.range())?;
            }
            match token {
                Token::Eof => {
                    self.ended = true;
                    return Ok(Some(piece.finish(Bytes::new(), self.scanner.uris().clone())?));
                }
                Token::Start | Token::Empty if self.root.is_none() => self.root = Some(piece.clone()),
                Token::End | Token::Empty
                    if depth == 1 && piece.ends_with((self.name.0.as_str(), self.name.1.as_str()), self.scanner.uris()) =>
                {
                    (self.nodes, self.begins) = (0, self.scanner.range().end);
                    return Ok(Some(piece.finish(Bytes::new(), self.scanner.uris().clone())?));
                }
                _ => {}
            }
        }
    }

    fn bounded(&mut self, token: Token) -> Result<(), Refusal> {
        self.nodes += usize::from(!matches!(token, Token::End | Token::Nothing | Token::Eof));
        if self.nodes > self.limits.nodes {
            return Err(too_complex(
                "antallet af elementer, tekster og kommentarer i ét bilag",
                "elements, texts and comments of one part",
                self.limits.nodes,
            ));
        }
        if self.scanner.range().end - self.begins > self.longest {
            return Err(too_complex("længden af ét bilag i byte", "the length of one part in bytes", self.longest));
        }
        Ok(())
    }

    fn token(&mut self) -> Result<Token, Unread> {
        loop {
            if let Some(token) = self.scanner.next()? {
                return Ok(token);
            }
            // As much again as there is unread, so that a long token is not looked through at each read.
            let wanted = 2 * self.scanner.unread();
            while self.scanner.end().is_none() && self.scanner.unread() <= wanted {
                match self.from.read(&mut self.buffer) {
                    Ok(0) => self.scanner.finish(End::Whole),
                    Ok(read) => self.scanner.take(self.buffer.get(..read).unwrap_or(&[])),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}
