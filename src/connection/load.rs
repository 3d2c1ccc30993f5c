//! Reads a graph, and refuses one in which something could never be finished, with the way to mend it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::graph::{Choice, Graph, Look, Once, Party, Stage, Task, Where};
use crate::refusal::Detail;
use crate::text;
use crate::users::rights::{Role, Side};

/// The most tasks and options of a graph.
const MOST: usize = 200;
/// The largest file, in bytes.
const LARGEST: usize = 256 * 1024;
/// The longest text, in characters: it is drawn in a box.
const LONGEST_TEXT: usize = 120;
/// The condition that the two authorities make.
const OWNERS_DIFFER: &str = "owners-differ";

/// Everything that is wrong with a graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Unusable(pub Vec<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGraph {
    id: String,
    version: u32,
    da: String,
    en: String,
    client: RawText,
    receiver: Option<RawText>,
    #[serde(default, rename = "option")]
    options: Vec<RawOption>,
    #[serde(rename = "task")]
    tasks: Vec<RawTask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawText {
    da: String,
    en: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOption {
    id: String,
    da: String,
    en: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTask {
    id: String,
    da: String,
    en: String,
    party: RawParty,
    stage: RawStage,
    once: RawOnce,
    responsible: String,
    performer: String,
    #[serde(default)]
    options: Vec<String>,
    #[serde(default, rename = "where")]
    only_where: Vec<String>,
    choice: Option<String>,
    chosen: Option<String>,
    joint: Option<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    needs_one: Vec<Vec<String>>,
    holds_back: Option<bool>,
    #[serde(default)]
    both: bool,
    seen: Option<Look>,
    stated: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawParty {
    Authority,
    Client,
    Receiver,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawStage {
    Prerequisite,
    Connection,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawOnce {
    Authority,
    Client,
    Receiver,
    ReceiverAndAuthority,
    Connection,
}

/// Reads a graph.
///
/// # Errors
/// [`Unusable`], with all that is wrong.
pub fn graph(file: &str) -> Result<Graph, Unusable> {
    if file.len() > LARGEST {
        return Err(Unusable(vec![format!("a graph has {LARGEST} bytes at most")]));
    }
    let raw: RawGraph = toml::from_str(file).map_err(|error| Unusable(vec![error.to_string().trim_end().to_owned()]))?;
    let mut reading = Reading { places: BTreeMap::new(), options: Vec::new(), wrong: Vec::new() };
    let graph = reading.graph(raw);
    if reading.wrong.is_empty() {
        reading.whole(&graph);
    }
    if reading.wrong.is_empty() { Ok(graph) } else { Err(Unusable(reading.wrong)) }
}

struct Reading {
    places: BTreeMap<String, usize>,
    options: Vec<String>,
    wrong: Vec<String>,
}

impl Reading {
    fn say(&mut self, what: String) {
        self.wrong.push(what);
    }

    fn id(&mut self, id: &str) {
        let sound = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !sound {
            self.say(format!("{id:?}: an id is 1-32 letters, digits and hyphens"));
        }
    }

    fn text(&mut self, of: &str, da: &str, en: &str) -> Detail {
        for text in [da, en] {
            if text::line(text).is_err() || text.chars().count() > LONGEST_TEXT {
                self.say(format!("{of}: a text is one line of 1-{LONGEST_TEXT} characters; shorten {text:?}"));
            }
        }
        Detail::new(da, en)
    }

    fn graph(&mut self, raw: RawGraph) -> Graph {
        self.id(&raw.id);
        let name = self.text(&raw.id, &raw.da, &raw.en);
        let client = self.text("client", &raw.client.da, &raw.client.en);
        let receiver = raw.receiver.map(|text| self.text("receiver", &text.da, &text.en));
        if raw.tasks.is_empty() || raw.tasks.len() > MOST || raw.options.len() > MOST {
            self.say(format!("a graph has 1-{MOST} tasks, and {MOST} options at most"));
            return Graph { id: raw.id, version: raw.version, name, client, receiver, options: Vec::new(), tasks: Vec::new() };
        }
        let mut options = Vec::new();
        for RawOption { id, da, en } in raw.options {
            self.id(&id);
            if id == OWNERS_DIFFER || self.options.contains(&id) {
                self.say(format!("the option {id} stands twice, or is a condition already; give it another id"));
            }
            let text = self.text(&id, &da, &en);
            self.options.push(id.clone());
            options.push(Choice { id, text });
        }
        for (place, task) in raw.tasks.iter().enumerate() {
            self.id(&task.id);
            if self.places.insert(task.id.clone(), place).is_some() {
                self.say(format!("the task {} stands twice; give one of them another id", task.id));
            }
        }
        let tasks = raw.tasks.into_iter().map(|task| self.task(task, receiver.is_some())).collect();
        Graph { id: raw.id, version: raw.version, name, client, receiver, options, tasks }
    }

    fn role(&mut self, of: &str, name: &str) -> Role {
        match name.parse::<Role>() {
            Ok(role) if matches!(role.side(), Side::Authority | Side::Supplier) => role,
            Ok(_) => {
                self.say(format!("{of}: a task is an authority's or a supplier's, and not the gateway's operators'"));
                Role::SystemOwner
            }
            Err(error) => {
                self.say(format!("{of}: {error}"));
                Role::SystemOwner
            }
        }
    }

    fn place(&mut self, of: &str, named: &str) -> Option<usize> {
        let place = self.places.get(named).copied();
        match place {
            Some(_) if of == named => {
                self.say(format!("{of} needs itself, and could never be done; take it out"));
                None
            }
            Some(place) => Some(place),
            None => {
                self.say(format!("{of} names {named}, which is no task of this graph; correct the id, or add the task"));
                None
            }
        }
    }

    fn option(&mut self, of: &str, id: &str) {
        if !self.options.iter().any(|known| known == id) {
            self.say(format!("{of} is for the option {id}, which no connection can have; add it under [[option]]"));
        }
    }

    fn task(&mut self, raw: RawTask, has_receiver: bool) -> Task {
        let id = raw.id;
        let text = self.text(&id, &raw.da, &raw.en);
        let party = match raw.party {
            RawParty::Authority => Party::Authority,
            RawParty::Client => Party::Client,
            RawParty::Receiver => Party::Receiver,
        };
        let stage = match raw.stage {
            RawStage::Prerequisite => Stage::Prerequisite,
            RawStage::Connection => Stage::Connection,
        };
        let once = match raw.once {
            RawOnce::Authority => Once::Authority,
            RawOnce::Client => Once::Client,
            RawOnce::Receiver => Once::Receiver,
            RawOnce::ReceiverAndAuthority => Once::ReceiverAndAuthority,
            RawOnce::Connection => Once::Connection,
        };
        if !has_receiver && (party == Party::Receiver || matches!(once, Once::Receiver | Once::ReceiverAndAuthority)) {
            self.say(format!("{id} is the receiver's, and the graph has none; say what it is called by receiver = {{ da, en }}"));
        }
        let (responsible, performer) = (self.role(&id, &raw.responsible), self.role(&id, &raw.performer));
        raw.options.iter().for_each(|option| self.option(&id, option));
        let mut only_where = Vec::new();
        for condition in raw.only_where {
            match condition.as_str() {
                OWNERS_DIFFER => only_where.push(Where::OwnersDiffer),
                option => {
                    self.option(&id, option);
                    only_where.push(Where::Option(condition));
                }
            }
        }
        let needs = raw.needs.iter().filter_map(|need| self.place(&id, need)).collect();
        let needs_one: Vec<Vec<usize>> =
            raw.needs_one.iter().map(|list| list.iter().filter_map(|need| self.place(&id, need)).collect()).collect();
        if needs_one.iter().any(|list| list.len() < 2) {
            self.say(format!("{id} needs one of a list of one; write it under needs"));
        }
        let chosen = raw.chosen.as_ref().and_then(|named| self.place(&id, named));
        if raw.holds_back.is_some() && stage == Stage::Connection {
            self.say(format!("{id} is a connection task, which never holds others back unnamed; take holds_back out"));
        }
        let stated = raw.stated.unwrap_or(raw.seen.is_none());
        if !stated && raw.seen.is_none() {
            self.say(format!(
                "{id} can neither be seen nor stated, and could never be done; say how it is seen, or take stated out"
            ));
        }
        if raw.both && (raw.seen.is_some() || !has_receiver) {
            self.say(format!("{id} is stated by both authorities: that is for what nobody sees, where there is a receiver"));
        }
        Task {
            id,
            text,
            party,
            stage,
            once,
            responsible,
            performer,
            options: raw.options,
            only_where,
            choice: raw.choice,
            chosen,
            joint: raw.joint,
            needs,
            needs_one,
            holds_back: raw.holds_back.unwrap_or(true),
            both: raw.both,
            seen: raw.seen,
            stated,
        }
    }

    /// What only the whole shows: choices of one, alternatives of none, and circles.
    fn whole(&mut self, graph: &Graph) {
        let (mut choices, mut joints) = (BTreeMap::<_, Vec<&Task>>::new(), BTreeMap::<_, Vec<&Task>>::new());
        for task in &graph.tasks {
            task.choice.iter().for_each(|choice| choices.entry(choice).or_default().push(task));
            task.joint.iter().for_each(|joint| joints.entry(joint).or_default().push(task));
            if let Some(chosen) = task.chosen.and_then(|place| graph.task(place))
                && (chosen.choice.is_none() || task.choice == chosen.choice)
            {
                self.say(format!("{} is for the alternative {}, which is in no other choice; give it one", task.id, chosen.id));
            }
        }
        for (choice, tasks) in choices {
            if let [only] = tasks.as_slice() {
                self.say(format!("{} is the only one of the choice {choice}; name the other, or take the choice out", only.id));
            }
        }
        for (joint, tasks) in joints {
            if let [only] = tasks.as_slice() {
                self.say(format!("{} is the only signature of {joint}; name the other, or take joint out", only.id));
            }
            let within =
                |task: &&&Task| task.needs.iter().any(|&need| graph.task(need).is_some_and(|need| need.joint == task.joint));
            if let Some(task) = tasks.iter().find(within) {
                self.say(format!(
                    "{} waits for another signature of {joint}; both may sign at any time, so take the need out",
                    task.id
                ));
            }
            let alike = |task: &&Task| {
                tasks.first().is_some_and(|first| task.only_where == first.only_where && task.options == first.options)
            };
            if !tasks.iter().all(alike) {
                self.say(format!(
                    "the signatures of {joint} are needed in different connections; give them the same options and where"
                ));
            }
        }
        if self.wrong.is_empty()
            && let Some(circle) = circle(graph)
        {
            self.say(describe_circle(graph, &circle));
        }
    }
}

/// A way from a task back to itself, if there is one.
fn circle(graph: &Graph) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnTheWay,
        Passed,
    }
    let before: Vec<Vec<usize>> = (0..graph.tasks.len()).map(|place| graph.before(place)).collect();
    let mut marks = vec![Mark::New; before.len()];
    for start in 0..before.len() {
        // The way here, each with how many of what it needs were looked at.
        let mut way = vec![(start, 0)];
        while let Some((place, looked)) = way.last_mut() {
            let place = *place;
            let (Some(mark), Some(needs)) = (marks.get_mut(place), before.get(place)) else { break };
            if *mark == Mark::Passed {
                way.pop();
                continue;
            }
            *mark = Mark::OnTheWay;
            match needs.get(*looked).copied() {
                None => {
                    *mark = Mark::Passed;
                    way.pop();
                }
                Some(next) => {
                    *looked += 1;
                    match marks.get(next) {
                        Some(Mark::OnTheWay) => {
                            return Some(way.into_iter().map(|(place, _)| place).skip_while(|&place| place != next).collect());
                        }
                        Some(Mark::New) => way.push((next, 0)),
                        _ => {}
                    }
                }
            }
        }
    }
    None
}

/// What a circle is, and how it is mended.
fn describe_circle(graph: &Graph, circle: &[usize]) -> String {
    let tasks: Vec<&Task> = circle.iter().filter_map(|&place| graph.task(place)).collect();
    let way: Vec<&str> = tasks.iter().chain(tasks.first()).map(|task| task.id.as_str()).collect();
    let round = format!("nothing could ever be finished: {}", way.join(" needs "));
    let unnamed = |task: &&&Task| task.holds_back() && tasks.iter().any(|other| other.stage == Stage::Connection);
    match tasks.iter().find(unnamed) {
        Some(early) => format!(
            "{round}. {} is a prerequisite, for which every connection task waits, and it needs connection tasks itself: \
             let only those wait for it that name it (holds_back = false), or make it a connection task",
            early.id
        ),
        None if tasks.len() == 2 => format!(
            "{round}. If they are one agreement with two signatures, take the needs out and give both the same joint; else one of them comes first"
        ),
        None => format!("{round}. Take out the need that is not one"),
    }
}
