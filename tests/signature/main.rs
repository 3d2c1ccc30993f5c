//! Signatures and tokens, judged from outside: real messages, attacks, and tools that this project did not write.

mod attacks;
mod canonical;
mod golden;
mod oracles;
mod responses;
mod support;
mod tokens;
