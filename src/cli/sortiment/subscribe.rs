//! Who gets the versions that are published.

use std::io::Write;

use uuid::Uuid;

use super::{CommandError, House};
use crate::cli::person::Person;
use crate::cli::place::one_line;
use crate::decisions::{Because, By};
use crate::id::cvr::Cvr;
use crate::services::finance::lists::subscription::{Structure, Subscription};
use crate::store::Access;

#[derive(Debug, clap::Args)]
pub(super) struct Subscribe {
    /// The authority that receives
    #[arg(long, value_name = "CVR")]
    authority: Cvr,
    /// Its system
    #[arg(long, value_name = "UUID")]
    system: Uuid,
    /// In which structure: 1 (SortimentOverfør_1) or 2 (SortimentOverfør_2)
    #[arg(long, value_name = "1|2")]
    structure: Structure,
    /// The value list; left out: all of the service
    #[arg(long, value_name = "UUID")]
    list: Option<Uuid>,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    reason: String,
    #[command(flatten)]
    person: Person,
}

impl House {
    pub(super) async fn subscribe(&self, asked: Subscribe, out: &mut impl Write) -> Result<(), CommandError> {
        let Subscribe { authority, system, structure, list, reason, person } = asked;
        let (signer, because) = (person.signer()?, Because::new(reason, self.now));
        let subscription = Subscription::new(self.service()?, authority, system, list, structure, because.at);
        let begun =
            async |store: &crate::agreements::Store| Ok(subscription.begin(store, By::Key(&signer), &because, None).await?);
        self.within(Access::Change, begun).await?;
        Ok(writeln!(
            out,
            "subscription {}: system {system} of {authority} gets each version as {}",
            subscription.id,
            structure.name()
        )?)
    }

    pub(super) async fn subscriptions(&self, out: &mut impl Write) -> Result<(), CommandError> {
        let service = self.service()?;
        let read = async |store: &crate::agreements::Store| {
            Ok((store.sortiment_subscriptions(service).await?, store.sortiment_deliveries().await?))
        };
        let (subscriptions, waiting) = self.within(Access::Look, read).await?;
        if subscriptions.is_empty() {
            writeln!(out, "There are no subscriptions. Make one with `hjemmel sortiment subscribe`.")?;
        }
        for Subscription { id, authority, system, list, structure, ended, .. } in &subscriptions {
            let list = list.map_or_else(|| "every list".to_owned(), |list| list.to_string());
            let ended = ended.map_or_else(String::new, |at| format!("  ended {at}"));
            writeln!(out, "{id}  {authority}  system {system}  {}  {list}{ended}", structure.name())?;
        }
        Ok(writeln!(out, "{} deliveries wait, {} were given up", waiting.waiting, waiting.dead)?)
    }
}
