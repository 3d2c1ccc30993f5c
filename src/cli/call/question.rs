//! A question in the index's own format: what `fremsoeg` takes.

use crate::id::cpr::Cpr;
use crate::services::terminaladgang::names::{BI_NS, GD_NS, GO_NS, OEI_NS, SD_NS, YI_NS};
use crate::soap::fault::escape;

/// What to ask: one person, perhaps a period, perhaps some kinds of benefit.
#[derive(Clone)]
pub struct Question {
    /// The person; `None` makes the call that the gateway must refuse.
    pub person: Option<Cpr>,
    /// The disposition dates asked about, `[from, to)`, as `xs:dateTime` texts; `None` lets the gateway insert the window.
    pub period: Option<(String, String)>,
    /// KLE numbers; none asks for every kind.
    pub kle: Vec<String>,
}

impl Question {
    /// About one person, all kinds, in the window that the law gives.
    pub fn about(person: Cpr) -> Self {
        Self { person: Some(person), period: None, kle: Vec::new() }
    }

    /// The `FremsoegYdelseIndeksInput`, declaring its own namespaces.
    pub fn input(&self) -> Vec<u8> {
        let person = self.person.as_ref().map_or_else(String::new, grantee);
        let effectuations = match self.kle.as_slice() {
            [] if self.period.is_none() => String::new(),
            [] => self.effectuation(None),
            [one] => self.effectuation(Some(one)),
            several => {
                let any: String = several.iter().map(|kle| self.effectuation(Some(kle))).collect();
                format!("<yi:SoegUdtryk><yi:operation>OR</yi:operation>{any}</yi:SoegUdtryk>")
            }
        };
        format!(
            "<yi:FremsoegYdelseIndeksInput xmlns:yi=\"{YI_NS}\" xmlns:bi=\"{BI_NS}\" xmlns:oei=\"{OEI_NS}\" xmlns:go=\"{GO_NS}\" xmlns:gd=\"{GD_NS}\" \
             xmlns:sd=\"{SD_NS}\"><yi:SoegUdtryk><yi:operation>AND</yi:operation>{person}{effectuations}</yi:SoegUdtryk>\
             </yi:FremsoegYdelseIndeksInput>"
        )
        .into_bytes()
    }

    fn effectuation(&self, kle: Option<&String>) -> String {
        let dates = self.period.as_ref().map_or_else(String::new, |(from, to)| {
            let bound = |name: &str, text: &str| {
                format!("<go:{name}><sd:TidsstempelDatoTid>{}</sd:TidsstempelDatoTid></go:{name}>", escape(text))
            };
            format!(
                "<gd:LokalUdvidelseListe><oei:SoegEgenskaberLokalUdvidelse><oei:DispositionsDatoInterval>{}{}\
                 </oei:DispositionsDatoInterval></oei:SoegEgenskaberLokalUdvidelse></gd:LokalUdvidelseListe>",
                bound("FraTidspunkt", from),
                bound("TilTidspunkt", to),
            )
        });
        let line = kle.map_or_else(String::new, |kle| {
            format!(
                "<oei:OekonomiskYdelseEffektueringRelation><oei:Klassifikationsbeskrivelse>{}</oei:Klassifikationsbeskrivelse>\
                 </oei:OekonomiskYdelseEffektueringRelation>",
                escape(kle)
            )
        });
        format!(
            "<yi:SoegOekonomiskEffektueringIndeks><oei:AttributListe>{dates}</oei:AttributListe><oei:TilstandListe/>\
             <oei:RelationListe>{line}</oei:RelationListe></yi:SoegOekonomiskEffektueringIndeks>"
        )
    }
}

fn grantee(person: &Cpr) -> String {
    format!(
        "<yi:SoegBevillingIndeks><bi:AttributListe/><bi:TilstandListe/><bi:RelationListe><bi:Bevillingspart><gd:ReferenceID>\
         <sd:URNIdentifikator>{}</sd:URNIdentifikator></gd:ReferenceID></bi:Bevillingspart></bi:RelationListe>\
         </yi:SoegBevillingIndeks>",
        person.expose_urn()
    )
}
