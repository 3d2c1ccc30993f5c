//! The request side of the policy: what a search may ask (window, person, criteria), shown case by case, exhaustively
//! against a separate evaluator, at random, and against the index's own schema.

mod cases;
mod days;
mod exhaustive;
mod random;
mod reference;
mod schema;
mod shipped;
