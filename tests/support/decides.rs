//! Decisions without whoever made them, for tests of what becomes of them: outside tests a person makes each (`hjemmel::decisions`).

use hjemmel::agreements::route::store::{Decision, RouteError};
use hjemmel::agreements::{Agreement, AgreementError, Route, State, Store};
use hjemmel::store::until_it_holds;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

pub trait Decides {
    /// Decides on an agreement, however it stands.
    fn decide(
        &self,
        id: Uuid,
        to: State,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> impl Future<Output = Result<Agreement, AgreementError>> + Send;

    /// The same of one that somebody has looked at.
    fn decide_as_shown(
        &self,
        shown: &Agreement,
        to: State,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> impl Future<Output = Result<Agreement, AgreementError>> + Send;

    /// Ends a route.
    fn end_route(
        &self,
        id: Uuid,
        on: Date,
        decision: &Decision,
    ) -> impl Future<Output = Result<(Route, bool), RouteError>> + Send;
}

impl Decides for Store {
    async fn decide(&self, id: Uuid, to: State, by: &str, reason: &str, at: Timestamp) -> Result<Agreement, AgreementError> {
        until_it_holds(async || {
            let mut change = self.change().await?;
            let agreement = change.decide(id, None, to, by, reason, at).await?;
            change.commit().await?;
            Ok(agreement)
        })
        .await
    }

    async fn decide_as_shown(
        &self,
        shown: &Agreement,
        to: State,
        by: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Agreement, AgreementError> {
        let mut change = self.change().await?;
        let agreement = change.decide(shown.id, Some(shown), to, by, reason, at).await?;
        change.commit().await?;
        Ok(agreement)
    }

    async fn end_route(&self, id: Uuid, on: Date, decision: &Decision) -> Result<(Route, bool), RouteError> {
        until_it_holds(async || {
            let mut change = self.change().await?;
            let done = change.end_route(id, on, decision).await?;
            change.commit().await?;
            Ok(done)
        })
        .await
    }
}
