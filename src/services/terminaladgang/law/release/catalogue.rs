//! What the code knows how to release, and for which reasons it removes. The policy file chooses among these and
//! explains them; it can never name a place that is not here, so a typing error cannot open a hole.

/// The wire path that `R` stands for: one effectuation of the answer.
pub const R: &str = "yi:OekonomiskEffektueringFiltreretOejebliksbillede";
/// The wire path that `E` stands for, below [`R`].
pub const E: &str = "oei:Registrering/oei:AttributListe/oei:Egenskaber";
/// The wire path that `Y` stands for, below [`R`].
pub const Y: &str = "oei:Registrering/oei:RelationListe/oei:OekonomiskYdelseEffektueringRelation";

/// The form that a value must have to be released. Anything else could carry what no rule names (a CPR number, say).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The status of the answer, set by the gateway.
    Status,
    /// A count, made anew by the gateway.
    Count,
    /// One to so many ASCII digits (1–9). Nine at most: a CPR number has ten.
    Digits(u8),
    /// A UUID as the schema writes it.
    Uuid,
    /// A `dateTime` that the gateway can read.
    DateTime,
    /// A `dateTime` with an offset.
    DateTimeWithOffset,
    /// `-?[0-9]+(\.[0-9]+)?`, never reformatted.
    Amount,
    /// An amount with two decimals at most.
    AmountTwoDecimals,
    /// `dd.dd.dd`
    Kle,
    /// Eight digits: the counterpart's CVR number.
    Cvr,
    /// The name that the gateway's own register has; never a text of the index.
    RegisterName,
    /// The person asked about, as `urn:oio:cpr-nr:`.
    Person,
}

impl Form {
    /// The form that the policy file spells so.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "status" => Self::Status,
            "count" => Self::Count,
            "uuid" => Self::Uuid,
            "date-time" => Self::DateTime,
            "date-time-with-offset" => Self::DateTimeWithOffset,
            "amount" => Self::Amount,
            "amount-two-decimals" => Self::AmountTwoDecimals,
            "kle" => Self::Kle,
            "cvr" => Self::Cvr,
            "register-name" => Self::RegisterName,
            "person" => Self::Person,
            _ => match name.strip_prefix("digits-")?.as_bytes() {
                [digit @ b'1'..=b'9'] => Self::Digits(digit - b'0'),
                _ => return None,
            },
        })
    }

    /// How the policy file spells it.
    pub fn name(self) -> String {
        match self {
            Self::Status => "status".to_owned(),
            Self::Count => "count".to_owned(),
            Self::Digits(most) => format!("digits-{most}"),
            Self::Uuid => "uuid".to_owned(),
            Self::DateTime => "date-time".to_owned(),
            Self::DateTimeWithOffset => "date-time-with-offset".to_owned(),
            Self::Amount => "amount".to_owned(),
            Self::AmountTwoDecimals => "amount-two-decimals".to_owned(),
            Self::Kle => "kle".to_owned(),
            Self::Cvr => "cvr".to_owned(),
            Self::RegisterName => "register-name".to_owned(),
            Self::Person => "person".to_owned(),
        }
    }

    /// Whether everything of this form is also of the form `widest`: a policy may narrow a form, never widen it.
    pub fn narrows(self, widest: Self) -> bool {
        match (self, widest) {
            (Self::Digits(few), Self::Digits(most)) => few <= most,
            (Self::DateTimeWithOffset, Self::DateTime) | (Self::AmountTwoDecimals, Self::Amount) => true,
            (narrow, wide) => narrow == wide,
        }
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $path:literal $form:expr $(, $required:ident)?;)*) => {
        /// A place whose value can be released.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Field { $($(#[$doc])* $name,)* }

        impl Field {
            /// All of them, in the order of the table.
            pub const ALL: &[Field] = &[$(Field::$name),*];

            /// The path as the policy file spells it, `R`, `E` and `Y` abbreviated.
            pub fn path(self) -> &'static str {
                match self { $(Field::$name => $path,)* }
            }

            /// The widest form that may be released here.
            pub fn form(self) -> Form {
                match self { $(Field::$name => $form,)* }
            }

            /// Whether the index's schema requires the value, so that it cannot be switched off.
            pub fn required(self) -> bool {
                match self { $(Field::$name => false $(|| stringify!($required) == "required")?,)* }
            }
        }
    };
}

fields! {
    /// The status of the answer.
    Status "sd:StandardRetur/sd:StatusKode" Form::Status, required;
    /// How many effectuations and benefit lines are released.
    Count "yi:Antal" Form::Count;
    /// The paging that the index echoes.
    Paging "yi:Antal/yi:Paginering" Form::Digits(9);
    /// The effectuation's UUID.
    ObjectId "R/oei:ObjektType/sd:UUIDIdentifikator" Form::Uuid, required;
    /// When the payment was at the person's disposal.
    DispositionDate "E/oei:Dispositionsdato" Form::DateTime;
    /// The first day that the payment covers.
    PeriodStart "E/oei:Startdato" Form::DateTime;
    /// The last day that the payment covers.
    PeriodEnd "E/oei:Slutdato" Form::DateTime;
    /// The sum before tax.
    GrossAmount "E/oei:SamletBruttobeloeb" Form::Amount;
    /// The sum after tax and ATP.
    NetAmount "E/oei:BeloebEfterSkatATP" Form::Amount;
    /// The sum sent to payment.
    SentAmount "E/oei:BeloebSendtTilUdbetaling" Form::Amount;
    /// The sum paid.
    PaidAmount "E/oei:BeloebUdbetalt" Form::Amount;
    /// The KLE number of a benefit line.
    LineKle "Y/oei:Klassifikationsbeskrivelse" Form::Kle;
    /// The class of a benefit line.
    LineClass "Y/gd:ReferenceID" Form::Uuid;
    /// The amount of a benefit line.
    LineAmount "Y/oei:Ydelsesbeloeb" Form::Amount;
    /// The first day of a benefit line's period.
    LineStart "Y/oei:YdelsesperiodeStartdato" Form::DateTime;
    /// The last day of a benefit line's period.
    LineEnd "Y/oei:YdelsesperiodeSlutdato" Form::DateTime;
    /// The role of a benefit line.
    LineRole "Y/gd:Rolle" Form::Uuid;
    /// The type of a benefit line.
    LineType "Y/gd:Type" Form::Uuid;
    /// The number of a benefit line.
    LineIndex "Y/gd:Indeks" Form::Digits(4);
    /// The role of the owner.
    OwnerRole "R/oei:Registrering/oei:RelationListe/oei:Aktoer[Ejer]/gd:Rolle" Form::Uuid;
    /// The type of the owner.
    OwnerType "R/oei:Registrering/oei:RelationListe/oei:Aktoer[Ejer]/gd:Type" Form::Uuid;
    /// The CVR number of the owner.
    OwnerCvr "R/oei:Registrering/oei:RelationListe/oei:Aktoer[Ejer]/oei:CVR-nr" Form::Cvr;
    /// The name of the owner, from the gateway's own register.
    OwnerName "R/oei:Registrering/oei:RelationListe/oei:Aktoer[Ejer]/oei:FuldtNavn" Form::RegisterName;
    /// The role of the party, where the party is the person asked about.
    PartyRole "R/oei:Registrering/oei:RelationListe/oei:OekonomiskEffektueringPart/gd:Rolle" Form::Uuid;
    /// The type of the party, where the party is the person asked about.
    PartyType "R/oei:Registrering/oei:RelationListe/oei:OekonomiskEffektueringPart/gd:Type" Form::Uuid;
    /// The person asked about.
    PartyReference "R/oei:Registrering/oei:RelationListe/oei:OekonomiskEffektueringPart/gd:ReferenceID" Form::Person;
}

impl Field {
    /// The field that the policy file spells so.
    pub fn parse(path: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.path() == path)
    }

    /// Its number in [`Field::ALL`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// The whole path on the wire, below `yi:FremsoegYdelseIndeksOutput`.
    pub fn wire_path(self) -> String {
        wire_path(self.path())
    }

    /// Whether it is a sum over lines: hiding a line while showing the sum would show the line.
    pub(super) fn is_sum(self) -> bool {
        matches!(self, Self::GrossAmount | Self::NetAmount | Self::SentAmount | Self::PaidAmount)
    }
}

/// Writes out `R`, `E` and `Y`.
pub fn wire_path(path: &str) -> String {
    match path.split_once('/') {
        Some(("R", rest)) => format!("{R}/{rest}"),
        Some(("E", rest)) => format!("{R}/{E}/{rest}"),
        Some(("Y", rest)) => format!("{R}/{Y}/{rest}"),
        _ => path.to_owned(),
    }
}

macro_rules! guards {
    ($($(#[$doc:meta])* $name:ident $id:literal;)*) => {
        /// A reason for which the code removes. All are always in force; the policy file gives their basis and words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Guard { $($(#[$doc])* $name,)* }

        impl Guard {
            /// All of them, in the order in which an object meets them.
            pub const ALL: &[Guard] = &[$(Guard::$name),*];

            /// The id that the policy file, the audit record and the metrics use.
            pub fn id(self) -> &'static str {
                match self { $(Guard::$name => $id,)* }
            }
        }
    };
}

guards! {
    /// Grants are read for the proof and never released.
    Grant "grant";
    /// The caller asked to see less.
    NotAsked "not-asked";
    /// An object that is not what the schema says: `xsi:type`, `xsi:nil`, a part twice, no UUID.
    Shape "shape";
    /// A registration whose life-cycle says that it is deleted, or cannot be read.
    Deleted "deleted";
    /// A disposition date missing, unreadable or outside the window.
    Window "window";
    /// A disposition date after the day of the call, where the policy withholds what is still to come.
    Future "future";
    /// Not exactly one owner, or not the counterpart.
    Owner "other-owner";
    /// A benefit line outside the caller's KLE constraint.
    Kle "kle";
    /// A benefit line of another person's grant.
    Person "person";
    /// A grant whose sensitivity the caller may not see.
    Sensitivity "sensitivity";
    /// A sum over lines of which some were removed.
    Sums "sums";
    /// A party that is not the person asked about.
    Party "other-party";
    /// A value of another form than its rule names.
    Form "form";
    /// Whatever no rule names.
    Unnamed "unnamed";
    /// Nothing left looks like nothing found.
    Silence "silence";
}

impl Guard {
    pub(super) fn index(self) -> usize {
        self as usize
    }
}
