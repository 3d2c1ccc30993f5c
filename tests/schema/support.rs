//! A schema, a message, a verdict.

use std::sync::Arc;

use bytes::Bytes;
use hjemmel::schema::compile::Schema;
use hjemmel::schema::pool::Pool;
use hjemmel::schema::source::{Problem, Sources};
use hjemmel::schema::violation::Violations;
use hjemmel::soap::document::Document;
use hjemmel::soap::strict::Limits;

/// A schema of documents given here, the first of them its root.
pub fn schema(documents: &[(&str, &str)]) -> Result<Schema, Vec<Problem>> {
    let mut sources = Sources::default();
    for (path, text) in documents {
        sources.add(path, *text);
    }
    Schema::new(Arc::new(sources), [documents[0].0.to_owned()])
}

pub fn document(xml: &str) -> Arc<Document> {
    Arc::new(Document::parse(Bytes::copy_from_slice(xml.as_bytes()), &Limits::default()).unwrap())
}

/// The verdict of a pool of one thread on the root of a message.
pub fn verdict(schema: &Schema, xml: &str) -> Result<(), Violations> {
    let document = document(xml);
    let (node, root) = (document.root().id(), (document.root().namespace().to_owned(), document.root().local().to_owned()));
    let pool = Pool::start(schema, 1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(pool.validate(document, node, Arc::new(root))).unwrap()
}
