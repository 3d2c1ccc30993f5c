//! The macro that makes an enum and its texts of a table of refusals.
//!
//! A row is
//!
//! ```text
//! /// What it is.
//! Name { field: Type = sample, … }, party, retry, audience, http STATUS, after SECONDS,
//!     da: "what", "remedy",
//!     en: "what", "remedy";
//! ```
//!
//! where fields, `http` and `after` may be left out; fields are named in the texts, and in `after` as `*field`. A line
//! `== "heading";` begins a group. A service makes a table of its own of the same rows, and becomes part of
//! [`Refusal`](super::Refusal) by its [`Table`](super::Table).

macro_rules! refusals {
    ([] $(#[$about:meta])* pub enum $table:ident;
    $(besides $(#[$other_doc:meta])* $other:ident($boxed:ty);)?
    $(== $group:literal; $($(#[$doc:meta])* $name:ident $({ $($field:ident : $type:ty = $sample:expr),* $(,)? })? ,
        $party:ident, $retry:ident, $audience:ident $(, http $http:literal)? $(, after $after:expr)?,
        da: $da_what:literal, $da_remedy:literal,
        en: $en_what:literal, $en_remedy:literal;)*)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs)] // the fields are named for what they are, and told in the texts
        pub enum $table {
            $($($(#[$doc])* $name $({ $($field: $type),* })?,)*)*
            $($(#[$other_doc])* $other($boxed),)?
        }

        impl $table {
            /// The row of the table for this refusal.
            pub fn entry(&self) -> $crate::refusal::Entry {
                use $crate::refusal::{Audience, Entry, Party, Retry, Shown, Text};
                match self {
                    $($($table::$name $({ $($field),* })? => {
                        let party = Party::$party;
                        #[allow(unused_mut, unused_assignments)]
                        let (mut http, mut retry_after): (Option<u16>, Option<u64>) = (None, None);
                        $(http = Some($http);)?
                        $(retry_after = Some($after);)?
                        let da = {
                            $($(let $field = Shown::da($field);)*)?
                            Text { what: format!($da_what), consequence: party.consequence_da(), remedy: format!($da_remedy) }
                        };
                        let en = {
                            $($(let $field = Shown::en($field);)*)?
                            Text { what: format!($en_what), consequence: party.consequence_en(), remedy: format!($en_remedy) }
                        };
                        Entry {
                            group: $group,
                            code: stringify!($name),
                            party,
                            audience: Audience::$audience,
                            http,
                            retry: Retry::$retry,
                            retry_after,
                            da,
                            en,
                        }
                    })*)*
                    $($table::$other(entry) => (**entry).clone(),)?
                }
            }

            /// The stable code, for audit, metrics and the fault.
            pub fn code(&self) -> &'static str {
                match self {
                    $($($table::$name { .. } => stringify!($name),)*)*
                    $($table::$other(entry) => entry.code,)?
                }
            }

            /// One of each row, with sample values: for the generated documentation and for tests that go through the table.
            pub fn every() -> Vec<Self> {
                vec![$($($table::$name $({ $($field: $sample),* })?),*),*]
            }
        }
    };
}

pub(crate) use refusals;
