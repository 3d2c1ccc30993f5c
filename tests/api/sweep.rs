//! Every role over every route, of the API and of the console: who gets in, who is refused, and what is another's.
//!
//! The tables are written by hand from what the public sources say of each role (operators; a supplier's administrator; an
//! authority's system owner, responsible and administrator, infrastructure responsible, administrator of value lists, signatory and
//! auditor), each of whom sees its own authority or company alone. A route without a row fails, and so does a row without a route.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use hjemmel::agreements::Thumbprint;
use hjemmel::clock::Clock;
use hjemmel::config::OneTimeLinks;
use hjemmel::signature::key::Certificate;
use hjemmel::store::sql;
use hjemmel::users::Kind;
use hjemmel::users::rights::Role;
use jiff::{SignedDuration, Span};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::console::{Konsol, token};
use crate::house::{
    COMPANY, House, OTHER, OWN, OWN_SYSTEM, SERVICE, SYSTEM, Who, certificate, pki, request, text, thumbprint, user_of, value,
};
use crate::wire::Answer;

/// Whose things the routes are tried on: an agreement asked for by the company and its like.
const STRANGER: &str = "99999992";

/// A column for each role in the order of [`Role::ALL`]: `x` gets in, `.` may not (403), `n` sees nothing there (404), `c` may,
/// but it cannot be done now (409), `w` may ask, but what it sent is wrong (422): it asks for a system that is not its own. Then the
/// same of another authority's people, and another company's; the operators have no other side.
///                                                      op ro su ow re ad in so si au     su ow re ad in so si au
const API: &[(&str, &str, &str, &str)] = &[
    ("GET /openapi.json", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/problems", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/whoami", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/authorities", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/agreements", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/agreements/export", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/agreements/{id}", "agreement", "x  x  x  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("GET /api/v1/agreements/{id}/decisions", "agreement", "x x x x x x x x x x", "n n n n n n n n"),
    ("GET /api/v1/agreements/{id}/ending", "agreement", "x  x  x  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    // Each asks for its own system; the other authority for its own too, of an authority that it is not, and the other company for
    // the first one's.
    ("POST /api/v1/agreements", "", "x  .  x  .  x  x  .  .  .  .", "w  .  .  .  .  .  .  ."),
    ("POST /api/v1/agreements/import", "", "x  .  x  .  x  x  .  .  .  .", "w  .  .  .  .  .  .  ."),
    ("POST /api/v1/agreements/{id}/decisions approve", "agreement", ". . . . . . . . x .", "n n n n n n n n"),
    ("POST /api/v1/agreements/{id}/decisions reject", "agreement", ". . . . . . . . x .", "n n n n n n n n"),
    ("POST /api/v1/agreements/{id}/decisions withdraw", "agreement", "x . x . x x . . . .", "n n n n n n n n"),
    ("POST /api/v1/agreements/{id}/decisions suspend", "approved", "x . . x x . . . x .", "n n n n n n n n"),
    ("POST /api/v1/agreements/{id}/decisions end", "approved", ". . x x x . . . x .", "n n n n n n n n"),
    ("POST /api/v1/agreements/{id}/reminders", "agreement", "x . x . x x . . . .", "n n n n n n n n"),
    ("GET /api/v1/requests", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/requests/{id}", "request", "x  x  x  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("POST /api/v1/requests", "", "x  .  x  .  x  x  .  .  .  .", "x  .  x  x  .  .  .  ."),
    ("PUT /api/v1/requests/{id}", "draft", "x  .  x  n  n  n  n  n  n  n", "n  n  n  n  n  n  n  n"),
    ("POST /api/v1/requests/{id}/decisions submit", "draft", "x . x n n n n n n n", "n n n n n n n n"),
    ("GET /api/v1/systems", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/systems/{id}", "system", "x  x  x  n  n  n  n  n  n  n", "n  n  n  n  n  n  n  n"),
    ("POST /api/v1/systems", "", "x  .  x  .  x  x  x  .  .  .", "x  .  x  x  x  .  .  ."),
    ("POST /api/v1/systems/{id}/changes", "system", "x  .  x  n  n  n  n  n  n  n", "n  n  n  n  n  n  n  n"),
    ("GET /api/v1/routes", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("GET /api/v1/routes/export", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("GET /api/v1/routes/{id}", "route", "x  x  .  x  x  x  x  x  x  x", ".  n  n  n  n  n  n  n"),
    ("GET /api/v1/routes/{id}/decisions", "route", "x  x  .  x  x  x  x  x  x  x", ".  n  n  n  n  n  n  n"),
    ("GET /api/v1/receiver", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("POST /api/v1/routes", "", "x  .  .  .  .  .  x  .  .  .", ".  .  .  .  .  .  .  ."),
    ("POST /api/v1/routes/import", "", "x  .  .  .  .  .  x  .  .  .", ".  .  .  .  .  .  .  ."),
    ("POST /api/v1/routes/{id}/end", "route", "x  .  .  .  .  .  x  .  .  .", ".  n  n  n  n  n  n  n"),
    ("GET /api/v1/value-lists", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/value-lists/{id}", "supplement", "x  x  n  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("GET /api/v1/value-lists/{id}/text", "supplement", "x  x  n  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("GET /api/v1/value-lists/{id}/content", "supplement", "x x n x x x x x x x", "n n n n n n n n"),
    ("GET /api/v1/value-lists/{id}/changes", "supplement", "x x n x x x x x x x", "n n n n n n n n"),
    ("GET /api/v1/value-lists/{id}/decisions", "supplement", "x x n x x x x x x x", "n n n n n n n n"),
    ("POST /api/v1/value-lists", "", "x  .  .  .  .  .  .  x  .  .", ".  .  .  .  .  .  .  ."),
    ("POST /api/v1/value-lists/{id}/remove", "supplement", "x . n . . . . x . .", "n n n n n n n n"),
    ("POST /api/v1/value-lists/{id}/publish", "publishable", ". . n . . . . x . .", "n n n n n n n n"),
    ("GET /api/v1/value-list-subscriptions", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("GET /api/v1/value-list-subscriptions/{id}", "subscription", "x x . x x x x x x x", ". n n n n n n n"),
    ("GET /api/v1/value-list-subscriptions/{id}/decisions", "subscription", "x x . x x x x x x x", ". n n n n n n n"),
    ("POST /api/v1/value-list-subscriptions", "", "x  .  .  .  x  x  .  x  .  .", ".  .  .  .  .  .  .  ."),
    ("POST /api/v1/value-list-subscriptions/{id}/end", "subscription", "x . . . x x . x . .", ". n n n n n n n"),
    ("GET /api/v1/trials", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("GET /api/v1/trials/{id}", "trial", "x  x  .  x  x  x  x  x  x  x", ".  n  n  n  n  n  n  n"),
    ("GET /api/v1/trials/{id}/decisions", "trial", "x  x  .  x  x  x  x  x  x  x", ".  n  n  n  n  n  n  n"),
    ("POST /api/v1/trials", "", "x  .  .  .  x  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("POST /api/v1/trials/{id}/end", "trial", "x  .  .  x  x  .  .  .  .  .", ".  n  n  n  n  n  n  n"),
    ("GET /api/v1/connections", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/connections/{id}", "connection", "x  x  x  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("GET /api/v1/connections/{id}/picture", "connection", "x x x x x x x x x x", "n n n n n n n n"),
    ("GET /api/v1/connections/{id}/decisions", "connection", "x x x x x x x x x x", "n n n n n n n n"),
    ("POST /api/v1/connections", "", "x  .  x  .  x  x  .  .  .  .", ".  .  .  .  .  .  .  ."),
    // The company's system, by each for itself: it is nobody else's to connect, the operators aside.
    ("POST /api/v1/connections theirs", "system", "x . x . c c . . . .", "c . c c . . . ."),
    // The other authority is the client's side here: it sees the connection, and does not agree to it for the receiver's. The
    // receiver's authority sees it too, and whose the system is agrees: no agreement of the authority names the system.
    ("POST /api/v1/connections/{id}/consent", "offered", "x . x . c c . . . .", "n . . . . . . ."),
    ("POST /api/v1/connections/{id}/end", "connection", "x  .  x  .  x  x  .  .  .  .", "n  n  n  n  n  n  n  n"),
    // Stated by the system owner, and by an operator on behalf; other roles that state tasks are told whose it is.
    ("POST /api/v1/connections/{id}/statements", "connection", "x . . x c c c c c .", "n n n n n n n n"),
    ("POST /api/v1/connections/{id}/withdrawals", "stated", "x . . x c c c c c .", "n n n n n n n n"),
    ("POST /api/v1/connections/{id}/assignments", "connection", "x . . x x x x . . .", "n n n n n n n n"),
    // Each delegates a role of its own to a colleague. One that was given is seen by the two, the authority's auditor and the operators.
    ("GET /api/v1/delegations", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("GET /api/v1/delegations/{id}", "delegation", "x  x  .  n  n  n  n  n  n  x", ".  n  n  n  n  n  n  n"),
    ("GET /api/v1/delegations/{id}/decisions", "delegation", "x x . n n n n n n x", ". n n n n n n n"),
    ("POST /api/v1/delegations", "", ".  .  .  x  x  x  x  x  x  .", ".  x  x  x  x  x  x  ."),
    ("POST /api/v1/delegations/{id}/end", "delegation", "x . . n n n n n n .", ". n n n n n n n"),
    // Partner agreements: any company asks an authority; a company sees what it asked for, and no agreement, which is the authority's.
    ("GET /api/v1/partner-requests", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /api/v1/partner-requests/{id}", "partner-request", "x x x x x x x x x x", "n n n n n n n n"),
    ("GET /api/v1/partner-requests/{id}/decisions", "partner-request", "x x x x x x x x x x", "n n n n n n n n"),
    ("POST /api/v1/partner-requests", "", "x  .  x  .  x  x  .  .  .  .", "x  .  .  .  .  .  .  ."),
    ("POST /api/v1/partner-requests/{id}/decisions approve", "partner-request", ". . . . . . . . x .", "n n n n n n n n"),
    ("POST /api/v1/partner-requests/{id}/decisions reject", "partner-request", ". . . . . . . . x .", "n n n n n n n n"),
    ("POST /api/v1/partner-requests/{id}/decisions withdraw", "partner-request", "x . x . x x . . . .", "n n n n n n n n"),
    ("GET /api/v1/partners/{number}", "partner", "x  x  n  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("POST /api/v1/partners/{number}/end suspend", "partner", "x . n x x . . . x .", "n n n n n n n n"),
    ("POST /api/v1/partners/{number}/end close", "partner", ". . n x x . . . x .", "n n n n n n n n"),
    // Whoever may block nobody, or except nothing, is told so whether there is such a user or file or not.
    ("POST /api/v1/partner-users/{name}/block", "partner-user", "x . . x x . . . x .", ". n n . . . n ."),
    ("POST /api/v1/partner-users/{name}/block nobody", "nothing", "n . . n n . . . n .", ". n n . . . n ."),
    ("POST /api/v1/partner-files/{id}/except", "file", "x . . x x x . . . .", ". n n n . . . ."),
    ("POST /api/v1/partner-files/{id}/except nothing", "nothing", "n . . n n n . . . .", ". n n n . . . ."),
    // Doors of systems, known by other certificates than users are.
    ("GET /api/v1/mailboxes", "", ".  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("GET /api/v1/mailboxes/{number}/inbox", "", ".  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("GET /api/v1/mailboxes/{number}/inbox/{id}", "", ".  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("GET /api/v1/mailboxes/{number}/inbox/{id}/content", "", ". . . . . . . . . .", ". . . . . . . ."),
    ("POST /api/v1/mailboxes/{number}/inbox/{id}/confirm", "", ". . . . . . . . . .", ". . . . . . . ."),
    ("GET /api/v1/mailboxes/{number}/outbox", "", ".  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("GET /api/v1/mailboxes/{number}/outbox/{id}", "", ".  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("PUT /api/v1/mailboxes/{number}/outbox/{id}", "", ".  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("GET /api/v1/mailboxes/{number}/outbox/{id}/upload", "", ". . . . . . . . . .", ". . . . . . . ."),
    ("DELETE /api/v1/mailboxes/{number}/outbox/{id}/upload", "", ". . . . . . . . . .", ". . . . . . . ."),
    ("GET /api/v1/mailboxes/{number}/status", "", ".  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("POST /api/v1/persons", "", ".  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
];

///                                                      op ro su ow re ad in so si au     su ow re ad in so si au
const CONSOLE: &[(&str, &str, &str, &str)] = &[
    ("GET /", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /agreements", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /agreements/{id}", "agreement", "x  x  x  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("POST /agreements/{id}/decide approve", "agreement", ". . . . . . . . x .", "n n n n n n n n"),
    ("POST /agreements/{id}/decide withdraw", "agreement", "x . x . x x . . . .", "n n n n n n n n"),
    ("POST /agreements/{id}/decide suspend", "approved", "x . . x x . . . x .", "n n n n n n n n"),
    ("POST /agreements/{id}/remind", "agreement", "x . x . x x . . . .", "n n n n n n n n"),
    ("GET /requests", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /requests/new", "", "x  .  x  .  x  x  .  .  .  .", "x  .  x  x  .  .  .  ."),
    ("GET /requests/{id}", "request", "x  x  x  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("POST /requests", "", "x  .  x  .  x  x  .  .  .  .", "x  .  x  x  .  .  .  ."),
    ("POST /requests/{id}", "draft", "x  .  x  n  n  n  n  n  n  n", "n  n  n  n  n  n  n  n"),
    ("POST /requests/{id}/decide submit", "draft", "x  .  x  n  n  n  n  n  n  n", "n  n  n  n  n  n  n  n"),
    ("POST /requests/{id}/renew", "request", "x  .  x  .  x  x  .  .  .  .", "n  n  n  n  n  n  n  n"),
    ("GET /systems", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /systems/{id}", "system", "x  x  x  n  n  n  n  n  n  n", "n  n  n  n  n  n  n  n"),
    ("POST /systems", "", "x  .  x  .  x  x  x  .  .  .", "x  .  x  x  x  .  .  ."),
    ("POST /systems/{id}/change", "system", "x  .  x  n  n  n  n  n  n  n", "n  n  n  n  n  n  n  n"),
    ("GET /routes", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("GET /routes/new", "", "x  .  .  .  .  .  x  .  .  .", ".  .  .  .  x  .  .  ."),
    ("GET /routes/{id}", "route", "x  x  .  x  x  x  x  x  x  x", ".  n  n  n  n  n  n  n"),
    ("POST /routes", "", "x  .  .  .  .  .  x  .  .  .", ".  .  .  .  c  .  .  ."),
    ("POST /routes/{id}/end", "route", "x  .  .  .  .  .  x  .  .  .", ".  n  n  n  n  n  n  n"),
    ("GET /connections", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /connections/new", "", "x  .  x  .  x  x  .  .  .  .", "x  .  x  x  .  .  .  ."),
    ("GET /connections/{id}", "connection", "x  x  x  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("POST /connections", "", "x  .  x  .  x  x  .  .  .  .", "c  .  c  c  .  .  .  ."),
    ("POST /connections theirs", "system", "x . x . c c . . . .", "c . c c . . . ."),
    ("POST /connections/{id}/consent", "offered", "x . x . c c . . . .", "n . . . . . . ."),
    ("POST /connections/{id}/end", "connection", "x  .  x  .  x  x  .  .  .  .", "n  n  n  n  n  n  n  n"),
    ("POST /connections/{id}/state", "connection", "x  .  .  x  c  c  c  c  c  .", "n  n  n  n  n  n  n  n"),
    ("POST /connections/{id}/withdraw", "stated", "x  .  .  x  c  c  c  c  c  .", "n  n  n  n  n  n  n  n"),
    ("POST /connections/{id}/assign", "connection", "x . . x x x x . . .", "n n n n n n n n"),
    ("GET /delegations", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("POST /delegations", "", ".  .  .  x  x  x  x  x  x  .", ".  x  x  x  x  x  x  ."),
    // To whom it was given alone acts by it.
    ("POST /delegations/{id}/act", "delegation", "n  n  n  n  n  n  n  n  n  n", "n  n  n  n  n  n  n  n"),
    ("POST /delegations/{id}/end", "delegation", "x  .  .  n  n  n  n  n  n  .", ".  n  n  n  n  n  n  n"),
    ("POST /delegations/own", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /calls", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("GET /calls/{id}", "nothing", "n  n  .  n  n  n  n  n  n  n", ".  n  n  n  n  n  n  n"),
    ("GET /errors", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("GET /files", "", "x  x  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("GET /persons", "", "x  x  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("POST /persons/{row}/decide", "", "c  .  .  .  .  .  .  .  .  .", ".  .  .  .  .  .  .  ."),
    ("GET /services", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /value-lists", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /value-lists/new", "", "x  .  .  .  .  .  .  x  .  .", ".  .  .  .  .  x  .  ."),
    ("POST /value-lists", "", "x  .  .  .  .  .  .  x  .  .", ".  .  .  .  .  c  .  ."),
    ("GET /value-lists/{id}", "supplement", "x  x  n  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("GET /value-lists/{id}/text", "supplement", "x  x  n  x  x  x  x  x  x  x", "n  n  n  n  n  n  n  n"),
    ("POST /value-lists/{id}/publish", "publishable", "c . n . . . . x . .", "n n n n n n n n"),
    ("POST /value-lists/{id}/remove", "supplement", "x  .  n  .  .  .  .  x  .  .", "n  n  n  n  n  n  n  n"),
    ("GET /value-lists/subscriptions", "", "x  x  .  x  x  x  x  x  x  x", ".  x  x  x  x  x  x  x"),
    ("POST /value-lists/subscriptions", "", "x  .  .  .  x  x  .  x  .  .", ".  .  c  c  .  c  .  ."),
    ("POST /value-lists/subscriptions/{id}/end", "subscription", "x . . . x x . x . .", ". n n n n n n n"),
    ("GET /law", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /law/{service}", "", "x  x  x  x  x  x  x  x  x  x", "x  x  x  x  x  x  x  x"),
    ("GET /auditor", "", ".  .  .  .  .  .  .  .  .  x", ".  .  .  .  .  .  .  x"),
    ("POST /auditor", "", ".  .  .  .  .  .  .  .  .  x", ".  .  .  .  .  .  .  x"),
];

/// Open to whoever comes: how one logs on and off, what browsers fetch, and what comes from identity providers.
const OPEN: &[&str] = &[
    "GET /log-on",
    "POST /log-off",
    "GET /link/{secret}",
    "POST /link/{secret}",
    "GET /saml/log-on",
    "POST /saml/acs",
    "GET /saml/metadata",
    "GET /saml/logout",
    "GET /own.css",
    "GET /icon.svg",
    "GET /dkfds/{*path}",
];

/// The routes that the contract names.
fn of_api() -> BTreeSet<String> {
    let contract: Value = serde_json::from_str(&hjemmel::api::contract()).unwrap();
    let paths = contract["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase())))
        .collect()
}

/// The routes of the console, from its source: each `.route("…", get(…).post(…))`.
fn of_console() -> BTreeSet<String> {
    let known: BTreeMap<&str, &str> = BTreeMap::from([
        ("Own::CONSUMER", hjemmel::signon::own::Own::CONSUMER),
        ("Own::METADATA", hjemmel::signon::own::Own::METADATA),
        ("Own::LOG_OUT", hjemmel::signon::own::Own::LOG_OUT),
    ]);
    let (mut found, mut folders) = (BTreeSet::new(), vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            if entry.extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            let source = std::fs::read_to_string(&entry).unwrap();
            for part in source.split(".route(").skip(1) {
                let (path, rest) = part.split_once(',').unwrap();
                let path = path.trim();
                let path = path.strip_prefix('"').and_then(|path| path.strip_suffix('"')).or_else(|| known.get(path).copied());
                let path = path.unwrap_or_else(|| panic!("{}: {part}", entry.display()));
                let methods = rest.split([';', '\n']).next().unwrap().split(".route").next().unwrap();
                for method in ["get", "post"] {
                    if methods.contains(&format!("{method}(")) {
                        found.insert(format!("{} {path}", method.to_uppercase()));
                    }
                }
            }
        }
    }
    assert!(found.len() > 50, "the console's routes were not found: {found:?}");
    found
}

fn rows(table: &[(&str, &str, &str, &str)]) -> BTreeSet<String> {
    table.iter().map(|(route, ..)| route.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_route_of_the_api_and_of_the_console_has_its_row() {
    assert_eq!(rows(API), of_api());
    let all: BTreeSet<String> = rows(CONSOLE).into_iter().chain(OPEN.iter().map(|route| (*route).to_owned())).collect();
    assert_eq!(all, of_console());
    let ways = rows(CONSOLE);
    assert!(OPEN.iter().all(|open| !ways.contains(*open)));
}

/// Somebody who tries: the role, and of which side.
struct Tries {
    role: Role,
    who: Who,
    party: Option<&'static str>,
    is_other: bool,
    cookie: String,
    token: String,
}

/// What is tried on.
struct World {
    konsol: Konsol,
    colleague: Who,
    /// Another operator.
    operator: Who,
    /// A system responsible of [`OTHER`], and its system with a certificate.
    neighbour: Who,
    system: (String, String),
    /// Who delivers files of [`OWN`].
    delivers: Who,
}

fn in_days(days: i32) -> String {
    hjemmel::clock::civil_day(Clock::system().now()).unwrap().saturating_add(Span::new().days(days)).to_string()
}

impl World {
    fn house(&self) -> &House {
        &self.konsol.house
    }

    async fn made(&self, who: &Who, path: &str, body: &Value) -> Value {
        let answer = self.house().ask(who, "POST", path, &[], Some(body)).await;
        assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
        value(&answer)
    }

    /// Something new of this kind, of [`OWN`] and [`COMPANY`].
    async fn fresh(&self, kind: &str) -> Value {
        let house = self.house();
        match kind {
            "" | "nothing" => json!({"id": Uuid::new_v4().to_string()}),
            "agreement" | "approved" => {
                // Of a service of its own: one that was suspended keeps others of the same from being approved.
                let mut body = request(OWN);
                body["service"] = json!(Uuid::new_v4());
                let asked = self.made(&house.supplier, "/api/v1/agreements", &body).await;
                if kind == "agreement" {
                    return asked;
                }
                let approved = house.decide(&house.signatory, &asked, "approve").await;
                assert_eq!(approved.status, 200, "{}", approved.text());
                value(&approved)
            }
            "draft" | "request" => {
                let draft = self.made(&house.supplier, "/api/v1/requests", &form()).await;
                if kind == "draft" {
                    return draft;
                }
                let path = format!("/api/v1/requests/{}/decisions", text(&draft, "id"));
                let body = json!({"decision": "submit", "reason": "sag 7", "shown": draft["text_sha256"]});
                let sent = house.ask(&house.supplier, "POST", &path, &[("if-match", text(&draft, "etag"))], Some(&body)).await;
                assert_eq!(sent.status, 200, "{}", sent.text());
                value(&sent)
            }
            "system" => self.made(&house.supplier, "/api/v1/systems", &system()).await,
            "route" => self.made(&house.operator, "/api/v1/routes", &new_route()).await,
            "supplement" => self.made(&self.colleague, "/api/v1/value-lists", &supplement()).await,
            "publishable" => {
                let house = self.house();
                let list = Uuid::new_v4();
                let common = self.made(&house.operator, "/api/v1/value-lists", &version(list, None)).await;
                let path = format!("/api/v1/value-lists/{}", text(&common, "id"));
                let shown = value(&house.get(&self.operator, &path).await)["text_sha256"].clone();
                let body = json!({"reason": "sag 7", "shown": shown});
                let headers = [("if-match", text(&common, "etag"))];
                let done = house.ask(&self.operator, "POST", &format!("{path}/publish"), &headers, Some(&body)).await;
                assert_eq!(done.status, 200, "{}", done.text());
                self.made(&self.colleague, "/api/v1/value-lists", &version(list, Some(OWN))).await
            }
            "subscription" => self.made(&house.operator, "/api/v1/value-list-subscriptions", &subscription()).await,
            "trial" => self.made(&house.operator, "/api/v1/trials", &trial()).await,
            "delegation" => {
                let body = delegation(house.responsible.id, Role::Signatory);
                self.made(&house.signatory, "/api/v1/delegations", &body).await
            }
            "partner-request" => self.made(&house.supplier, "/api/v1/partner-requests", &partner(&number())).await,
            "partner" => self.partner().await,
            "file" => {
                let file = crate::mailboxes::delivered(house, &self.delivers, b"4711").await;
                let id: Uuid = text(&file, "id").parse().unwrap();
                let rejected = sql("UPDATE mailbox_file SET validation = 'AFVIST' WHERE id = $1").bind(id);
                let mut transaction = house.store.database().begin().await.unwrap();
                assert_eq!(transaction.execute(rejected).await.unwrap(), 1);
                transaction.commit().await.unwrap();
                file
            }
            "partner-user" => {
                let (name, certificate) = (format!("LOEN_{}", number()), format!("{:064x}", Uuid::new_v4().as_u128()));
                let of = self.partner().await;
                let rights = json!([{"number": text(&of, "number"), "fetches": true, "delivers": true}]);
                let body = json!({
                    "what": "user", "user": name, "certificate": certificate, "rights": rights, "reason": "sag 7"
                });
                self.partner_approved(&body).await;
                json!({"id": name, "name": name})
            }
            "connection" | "stated" | "offered" => {
                let made = if kind == "offered" {
                    // By the client's side alone, between another authority's system and the company's.
                    let client = self.made(&self.neighbour, "/api/v1/systems", &system()).await["id"].clone();
                    let receiver = self.made(&house.supplier, "/api/v1/systems", &system()).await["id"].clone();
                    let body = json!({
                        "graph": "sf1590a", "service": SERVICE, "environment": "exttest", "authority": OTHER, "client": client,
                        "receiver": receiver, "receiver_authority": OWN, "receiver_supplier": COMPANY, "reason": "sag 7"
                    });
                    self.made(&self.neighbour, "/api/v1/connections", &body).await
                } else {
                    self.made(&house.operator, "/api/v1/connections", &connection()).await
                };
                let id = text(&made, "id").to_owned();
                let path = format!("/api/v1/connections/{id}");
                let mut seen = value(&house.get(&house.operator, &path).await);
                if kind == "stated" {
                    let body = json!({"task": TASK, "reference": "sag 1", "party": OWN, "reason": "sag 1"});
                    let etag = text(&seen, "etag").to_owned();
                    let stated = house
                        .ask(&house.operator, "POST", &format!("{path}/statements"), &[("if-match", &etag)], Some(&body))
                        .await;
                    assert_eq!(stated.status, 200, "{}", stated.text());
                    seen = value(&stated);
                }
                seen["id"] = json!(id);
                seen
            }
            other => panic!("nothing is called {other}"),
        }
    }

    /// Asks for something of mailboxes as one person, and approves it as another.
    async fn partner_approved(&self, body: &Value) {
        let house = self.house();
        let asked = self.made(&house.supplier, "/api/v1/partner-requests", body).await;
        let path = format!("/api/v1/partner-requests/{}/decisions", text(&asked, "id"));
        self.made(&house.signatory, &path, &decided_on("approve", &asked)).await;
    }

    /// A partner agreement of [`OWN`].
    async fn partner(&self) -> Value {
        let number = number();
        self.partner_approved(&partner(&number)).await;
        let mut seen = value(&self.house().get(&self.house().signatory, &format!("/api/v1/partners/{number}")).await);
        seen["id"] = json!(number);
        seen
    }

    /// What somebody asks of [`OWN`]: for a system of one's own side, but the other company for the first one's.
    fn asked(&self, tries: &Tries) -> Value {
        let (system, certificate) = match tries.party {
            Some(OWN) => (OWN_SYSTEM.to_owned(), thumbprint(OWN_SYSTEM)),
            Some(OTHER) => self.system.clone(),
            _ => (SYSTEM.to_owned(), thumbprint(SYSTEM)),
        };
        let mut body = request(OWN);
        (body["system"], body["certificates"], body["service"]) = (json!(system), json!([certificate]), json!(Uuid::new_v4()));
        body
    }

    /// A connection that somebody adds. `theirs`: of the company's system `on`, for oneself; else of a system of one's own side, but as
    /// [`OWN`]'s and [`COMPANY`]'s, which the other side is not.
    async fn connected(&self, variant: &str, on: &Value, tries: &Tries) -> Value {
        let mut body = connection();
        if variant == "theirs" {
            body["client"] = on["id"].clone();
            match tries.party {
                Some(party @ STRANGER) => body["client_supplier"] = json!(party),
                Some(party @ OTHER) => body["authority"] = json!(party),
                _ => {}
            }
            return body;
        }
        let house = self.house();
        let registers = match tries.party {
            Some(OWN) => &house.responsible,
            Some(OTHER) => &self.neighbour,
            _ => &house.supplier,
        };
        body["client"] = self.made(registers, "/api/v1/systems", &system()).await["id"].clone();
        body
    }

    /// The people who try: every role of the one side, then those that have another.
    async fn people(&self) -> Vec<Tries> {
        let mut people = Vec::new();
        for is_other in [false, true] {
            for role in Role::ALL {
                let party = match (role, is_other) {
                    (Role::Operator | Role::OperatorReadOnly, true) => continue,
                    (Role::Operator | Role::OperatorReadOnly, false) => None,
                    (Role::SupplierAdministrator, false) => Some(COMPANY),
                    (Role::SupplierAdministrator, true) => Some(STRANGER),
                    (_, false) => Some(OWN),
                    (_, true) => Some(OTHER),
                };
                let who = user_of(&self.konsol.store, role.name(), Kind::Person, role, party).await;
                let cookie = self.konsol.log_on(&who).await;
                let token = token(&self.konsol.get(&cookie, "/").await);
                people.push(Tries { role, who, party, is_other, cookie, token });
            }
        }
        people
    }

    /// What each row says otherwise than what came.
    async fn swept(&self, table: &[(&str, &str, &str, &str)], console: bool) -> Vec<String> {
        let people = self.people().await;
        let mut wrong = Vec::new();
        for (route, kind, own, other) in table {
            let due: Vec<&str> = own.split_whitespace().chain(other.split_whitespace()).collect();
            assert_eq!(due.len(), people.len(), "{route}");
            // Whoever is refused changes nothing: one thing will do for all of them.
            let kept = self.fresh(kind).await;
            for (due, tries) in due.into_iter().zip(&people) {
                let on = if due == "x" && !route.starts_with("GET") { self.fresh(kind).await } else { kept.clone() };
                let answer = if console { self.by_form(route, &on, tries).await } else { self.by_api(route, &on, tries).await };
                let came = match answer.status {
                    303 if answer.header("location").starts_with("/log-on") => "logged off",
                    200 | 201 | 303 => "x",
                    403 => ".",
                    404 => "n",
                    409 => "c",
                    422 if answer.text().contains("ApiRequestUnfinished") && answer.text().contains("system: ") => "w",
                    _ => "?",
                };
                if came != due {
                    let side = if tries.is_other { "another's " } else { "" };
                    let said = answer.text();
                    let said = said.split("alert-heading\">").nth(1).unwrap_or(&said).chars().take(160).collect::<String>();
                    wrong.push(format!("{route}: {side}{} is {due}, and came {came} ({}): {said}", tries.role, answer.status));
                }
            }
        }
        wrong
    }

    async fn by_api(&self, route: &str, on: &Value, tries: &Tries) -> Answer {
        let mut words = route.split(' ');
        let (method, path, variant) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
        let id = text(on, "id");
        let body = match (method, path) {
            ("POST", "/api/v1/agreements") => Some(self.asked(tries)),
            ("POST", "/api/v1/agreements/import") => Some(json!([self.asked(tries)])),
            ("POST", "/api/v1/agreements/{id}/decisions") => {
                let mut shown = on["text_sha256"].clone();
                if variant == "end" {
                    let ending = self.house().get(&self.house().operator, &format!("/api/v1/agreements/{id}/ending")).await;
                    shown = value(&ending)["text_sha256"].clone();
                }
                Some(json!({"decision": variant, "reason": "sag 7", "shown": shown}))
            }
            ("POST", "/api/v1/requests") => Some(json!({"name": "Kladde"})),
            ("PUT", "/api/v1/requests/{id}") => Some(form()),
            ("POST", "/api/v1/requests/{id}/decisions") => {
                Some(json!({"decision": variant, "reason": "sag 7", "shown": on["text_sha256"]}))
            }
            ("POST", "/api/v1/systems") => Some(system()),
            ("POST", "/api/v1/systems/{id}/changes") => {
                Some(json!({"name": "Andet navn", "contact": "drift", "reason": "sag 7"}))
            }
            ("POST", "/api/v1/routes") => Some(new_route()),
            ("POST", "/api/v1/routes/import") => Some(json!([new_route()])),
            ("POST", "/api/v1/routes/{id}/end") => Some(json!({"on": "2999-01-01", "reason": "sag 7"})),
            ("POST", "/api/v1/value-lists") => Some(supplement()),
            ("POST", "/api/v1/value-lists/{id}/publish") => {
                let seen = value(&self.house().get(&self.colleague, &format!("/api/v1/value-lists/{id}")).await);
                Some(json!({"reason": "sag 7", "shown": seen["text_sha256"]}))
            }
            ("POST", "/api/v1/value-list-subscriptions") => Some(subscription()),
            ("POST", "/api/v1/trials") => Some(trial()),
            ("POST", "/api/v1/delegations") => Some(delegation(self.colleague_of(tries), tries.role)),
            ("POST", "/api/v1/connections") => Some(self.connected(variant, on, tries).await),
            ("POST", "/api/v1/partner-requests") => Some(partner(&number())),
            ("POST", "/api/v1/partner-requests/{id}/decisions") => Some(decided_on(variant, on)),
            ("POST", "/api/v1/partners/{number}/end") => {
                Some(json!({"ending": variant, "reason": "sag 7", "shown": on["text_sha256"]}))
            }
            ("POST", "/api/v1/connections/{id}/statements") => {
                Some(json!({"task": TASK, "reference": "sag 1", "reason": "sag 1"}))
            }
            ("POST", "/api/v1/connections/{id}/consent") => Some(json!({"side": "receiver", "reason": "sag 1"})),
            ("POST", "/api/v1/connections/{id}/withdrawals") => Some(json!({"task": TASK, "reason": "sag 1"})),
            ("POST", "/api/v1/connections/{id}/assignments") => Some(json!({"task": TASK, "wave": 2, "reason": "sag 1"})),
            ("POST", "/api/v1/persons") => Some(json!({"persons": []})),
            ("POST", "/api/v1/agreements/{id}/reminders" | "/api/v1/mailboxes/{number}/inbox/{id}/confirm") => None,
            ("POST", _) => Some(json!({"reason": "sag 7"})),
            _ => None,
        };
        let query = match path {
            "/api/v1/receiver" => format!("?service={SERVICE}&sender={OTHER}&receiver={OWN}&environment=exttest"),
            "/api/v1/persons" => format!("?authority={OWN}"),
            _ => String::new(),
        };
        let of = |name: &str, or: &str| on[name].as_str().unwrap_or(or).to_owned();
        let path = path.replace("{id}", id).replace("{number}", &of("number", "1")).replace("{name}", &of("name", "NOBODY"));
        let path = path + &query;
        let etag = on["etag"].as_str().unwrap_or_default();
        let headers = if etag.is_empty() { Vec::new() } else { vec![("if-match", etag)] };
        self.house().ask(&tries.who, method, &path, &headers, body.as_ref()).await
    }

    async fn by_form(&self, route: &str, on: &Value, tries: &Tries) -> Answer {
        let mut words = route.split(' ');
        let (method, path, variant) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
        let id = text(on, "id");
        let place = path.replace("{id}", id).replace("{service}", "pr%C3%B8ve").replace("{row}", "1");
        if method == "GET" {
            return self.konsol.get(&tries.cookie, &place).await;
        }
        let new = Uuid::new_v4().to_string();
        let of = |name: &str| on[name].as_str().unwrap_or_default().to_owned();
        let root = hjemmel::pem::encode("CERTIFICATE", pki().root()).to_string();
        let mut fields: Vec<(&str, String)> = vec![("form_token", tries.token.clone()), ("reason", "sag 7".to_owned())];
        let mut and =
            |more: &[(&'static str, &str)]| fields.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        match path {
            "/agreements/{id}/decide" => and(&[("decision", variant), ("shown", &of("text_sha256")), ("read", "1")]),
            "/requests" => and(&[("id", &new), ("name", "Kladde")]),
            "/requests/{id}" | "/requests/{id}/decide" => {
                let page = self.konsol.get(&self.supplier_cookie().await, &format!("/requests/{id}")).await;
                and(&[("etag", &crate::console::hidden(&page, "etag")), ("decision", variant), ("name", "Kladde")]);
            }
            "/systems" => and(&[("id", &new), ("name", "Et system"), ("contact", "drift@leverandor.example")]),
            "/systems/{id}/change" => and(&[("etag", &of("etag")), ("what", "named"), ("name", "Andet"), ("contact", "drift")]),
            "/routes" => {
                let of_route = route_fields(&root);
                and(&[("id", &new)]);
                and(&of_route.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
            }
            "/routes/{id}/end" => and(&[("etag", &of("etag")), ("on", "2999-01-01")]),
            "/connections" => {
                let made = self.connected(variant, on, tries).await;
                for name in ["graph", "service", "authority", "client", "client_supplier"] {
                    and(&[(name, text(&made, name))]);
                }
            }
            "/connections/{id}/state" | "/connections/{id}/withdraw" => {
                and(&[("task", TASK), ("party", OWN), ("reference", "sag 1")])
            }
            "/connections/{id}/consent" => and(&[("side", "receiver")]),
            "/connections/{id}/assign" => and(&[("task", TASK), ("wave", "2")]),
            "/delegations" => {
                let substitute = self.colleague_of(tries).to_string();
                let last = in_days(30);
                and(&[("id", &new), ("substitute", &substitute), ("role", tries.role.name()), ("valid_to", &last)]);
            }
            "/persons/{row}/decide" => and(&[("what", "retry")]),
            "/value-lists" => and(&[("service", SERVICE), ("format", "xml"), ("content", text(&supplement(), "content"))]),
            "/value-lists/{id}/publish" | "/value-lists/{id}/remove" => {
                let seen = value(&self.house().get(&self.colleague, &format!("/api/v1/value-lists/{id}")).await);
                and(&[("etag", &of("etag")), ("shown", text(&seen, "text_sha256"))]);
            }
            "/value-lists/subscriptions" => {
                let made = subscription();
                and(&[("service", SERVICE), ("authority", OWN), ("system", text(&made, "system")), ("structure", "2")]);
            }
            "/value-lists/subscriptions/{id}/end" => and(&[("etag", &of("etag"))]),
            "/auditor" => and(&[("cpr", "610101-0000")]),
            _ => {}
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.konsol.post(&tries.cookie, &place, &body).await
    }

    /// Somebody of the same authority.
    fn colleague_of(&self, tries: &Tries) -> Uuid {
        if tries.party == Some(OTHER) { self.neighbour.id } else { self.house().responsible.id }
    }

    async fn supplier_cookie(&self) -> String {
        self.konsol.log_on(&self.house().supplier).await
    }
}

/// What the system owner states, of the connection below.
const TASK: &str = "TA-INSTRUCTION";

fn form() -> Value {
    json!({
        "kind": "without-passing-on", "name": "Sygedagpenge", "justification": "Sagsbehandlere slår ydelser op",
        "environment": "exttest", "system": SYSTEM, "certificates": [thumbprint(SYSTEM)],
        "authorities": [OWN], "services": [{"service": SERVICE, "side": "front"}],
        "contract": "DBA-2026-17", "purpose": "sagsbehandling", "legal_basis": "LUD § 8, stk. 1", "categories": ["ydelser"],
        "retention": "slettes efter 5 år"
    })
}

fn system() -> Value {
    json!({"name": "Et system", "contact": "drift@leverandor.example", "reason": "sag 7"})
}

/// The number of a partner agreement that there is not yet.
fn number() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(10_000);
    format!("PA{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Asks for a partner agreement of [`OWN`].
fn partner(number: &str) -> Value {
    let terms = format!(
        "number = '{number}'\nowner = '{OWN}'\nenvironment = 'test'\nlegal_basis = 'Lov § 1'\npurpose = 'løn'\n\
         contact = {{ email = 'loen@kommune.example', phone = '+45 00000000' }}\n"
    );
    json!({"what": "agreement", "terms": terms, "reason": "sag 7"})
}

fn decided_on(decision: &str, asked: &Value) -> Value {
    json!({"decision": decision, "reason": "sag 8", "shown": asked["text_sha256"]})
}

fn route_fields(root: &str) -> Vec<(&'static str, String)> {
    // Each on a service of its own, so that none is in another's way.
    vec![
        ("service", Uuid::new_v4().to_string()),
        ("sender", OWN.to_owned()),
        ("receiver", OWN.to_owned()),
        ("valid_from", "2026-01-01".to_owned()),
        ("system", "00000000-0000-4000-8000-0000000000bb".to_owned()),
        ("address", "https://192.0.2.7/modtag".to_owned()),
        ("entity_id", "urn:example:modtager".to_owned()),
        ("roots", root.to_owned()),
    ]
}

fn new_route() -> Value {
    let root = hjemmel::pem::encode("CERTIFICATE", pki().root()).to_string();
    let mut route: serde_json::Map<String, Value> =
        route_fields(&root).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    route.extend([("environment".to_owned(), json!("exttest")), ("reason".to_owned(), json!("sag 9"))]);
    Value::Object(route)
}

/// A supplement of [`OWN`], of a list of its own.
fn supplement() -> Value {
    version(Uuid::new_v4(), Some(OWN))
}

/// The first version of a list, common or an authority's.
fn version(list: Uuid, authority: Option<&str>) -> Value {
    let from = in_days(60);
    let (own, code, may) = match authority {
        Some(cvr) => (format!("<Myndighed>{cvr}</Myndighed>"), "22.1", ""),
        None => (String::new(), "22.0", " kanSuppleres=\"true\""),
    };
    let xml = format!(
        "<Sortiment xmlns=\"urn:hjemmel:oekonomi:sortiment:1\"><UUID>{list}</UUID><Navn>Ydelser</Navn><Version>1</Version>\
         <GyldigFra>{from}</GyldigFra>{own}<Delsortiment navn=\"Art\"{may}><Element><Kode>{code}</Kode>\
         <Navn>a</Navn></Element></Delsortiment></Sortiment>"
    );
    json!({"service": SERVICE, "format": "xml", "content": xml, "reason": "sag 6"})
}

fn subscription() -> Value {
    json!({"service": SERVICE, "authority": OWN, "system": Uuid::new_v4(), "structure": 2, "reason": "sag 7"})
}

fn trial() -> Value {
    let closes = (Clock::system().now() + SignedDuration::from_hours(8)).to_string();
    json!({"service": Uuid::new_v4(), "authority": OWN, "opens_at": null, "closes_at": closes, "reason": "sag 7"})
}

fn delegation(substitute: Uuid, role: Role) -> Value {
    let until = (Clock::system().now() + SignedDuration::from_hours(8)).to_string();
    json!({"substitute": substitute, "role": role.name(), "valid_to": until, "reason": "sag 7"})
}

fn connection() -> Value {
    json!({
        "graph": "terminaladgang", "service": SERVICE, "environment": "exttest", "authority": OWN, "client": Uuid::new_v4(),
        "client_supplier": COMPANY, "reason": "sag 7"
    })
}

async fn world() -> World {
    let konsol = Konsol::build(OneTimeLinks::Off).await;
    let colleague = user_of(&konsol.store, "K. Kollega", Kind::Person, Role::SortimentAdministrator, Some(OWN)).await;
    let operator = user_of(&konsol.store, "O. Anden", Kind::Person, Role::Operator, None).await;
    let neighbour = user_of(&konsol.store, "N. Nabo", Kind::Person, Role::SystemResponsible, Some(OTHER)).await;
    let delivers = crate::mailboxes::Parties::of(&konsol.house).await.own;
    let system_of = (String::new(), String::new());
    let mut world = World { konsol, colleague, operator, neighbour, system: system_of, delivers };
    let registered = world.made(&world.neighbour, "/api/v1/systems", &system()).await;
    let (id, house, credentials) = (text(&registered, "id"), world.house(), certificate("Nabosystem", OTHER));
    let pem = hjemmel::pem::encode("CERTIFICATE", credentials.leaf()).to_string();
    let proof = hjemmel::decisions::system::prove(&credentials, id.parse().unwrap()).unwrap();
    let (path, body) = (format!("/api/v1/systems/{id}/changes"), json!({"certificate": pem, "proof": proof, "reason": "sag 7"}));
    let headers = [("if-match", text(&registered, "etag"))];
    let added = house.ask(&world.neighbour, "POST", &path, &headers, Some(&body)).await;
    assert_eq!(added.status, 200, "{}", added.text());
    let certificate = Certificate::from_der(credentials.leaf()).unwrap();
    world.system = (id.to_owned(), Thumbprint::from(*certificate.thumbprint()).to_string());
    world
}

#[tokio::test]
async fn each_role_gets_in_at_the_api_where_its_row_says_so_and_nowhere_else() {
    let wrong = world().await.swept(API, false).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn each_role_gets_in_at_the_console_where_its_row_says_so_and_nowhere_else() {
    let wrong = world().await.swept(CONSOLE, true).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
