//! directions
