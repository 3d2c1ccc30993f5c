//! Bad input: a clear fault or status each, nothing forwarded, and the gateway serves on.
