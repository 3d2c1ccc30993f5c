//! The request side of the policy: what a search may ask (window, person, criteria), shown case by case, exhaustively
//! against a separate evaluator, at random, and against the index's own schema.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod days;
#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod random;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod request;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod shipped;
