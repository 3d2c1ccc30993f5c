//! Whether a message was here before.

macro_rules! replay {
    ([$next:ident $($then:ident)*] $($table:tt)*) => { $next! { [$($then)*] $($table)*

    == "Replay";

    /// The same message again.
    Replay, Caller, AfterChange, Administrator,
        da: "En besked med samme MessageID er allerede modtaget.", "Send en ny besked med nyt MessageID, nyt Timestamp og ny signatur.",
        en: "A message with the same MessageID was received before.", "Send a new message with a new MessageID, Timestamp and signature.";
    /// The memory is full: forgetting early would let a replay in, so new messages wait.
    ReplayMemoryFull { seconds: u64 = 30 }, Gateway, Later, Operations, http 503, after *seconds,
        da: "Gatewayen kan i øjeblikket ikke registrere flere beskeder og kan derfor ikke udelukke gentagelser.", "Prøv igen om {seconds} sekunder.",
        en: "The gateway cannot keep track of more messages just now and so cannot rule out a replay.", "Try again in {seconds} seconds.";
    /// The shared memory gave no answer, or nobody knows which: the message may be remembered, so it is not to be sent again as it is.
    ReplayMemoryUnavailable { seconds: u64 = 5 }, Gateway, Later, Operations, http 503, after *seconds,
        da: "Gatewayen kan i øjeblikket ikke undersøge, om beskeden er modtaget før, og kan derfor ikke udelukke en gentagelse.", "Send en ny besked med nyt MessageID, nyt Timestamp og ny signatur om {seconds} sekunder.",
        en: "The gateway cannot find out just now whether the message was received before and so cannot rule out a replay.", "Send a new message with a new MessageID, Timestamp and signature in {seconds} seconds.";
    /// Created before this node started: whether it is a replay cannot be known.
    CreatedBeforeStart, Caller, Later, User,
        da: "Beskeden er dannet, før gatewayen senest blev startet, og en gentagelse kan derfor ikke udelukkes.", "Send en ny besked med nyt Timestamp.",
        en: "The message was made before the gateway was last started, so a replay cannot be ruled out.", "Send a new message with a new Timestamp.";
    /// Created before the shared memory was made, restored or taken over by another server: whether it is a replay cannot be known.
    CreatedBeforeMemory { seconds: u64 = 60 }, Caller, Later, User, after *seconds,
        da: "Beskeden er dannet, før gatewayens register over modtagne beskeder blev oprettet eller genoprettet, og en gentagelse kan derfor ikke udelukkes.", "Send en ny besked med nyt Timestamp om {seconds} sekunder.",
        en: "The message was made before the gateway's register of received messages was made or restored, so a replay cannot be ruled out.", "Send a new message with a new Timestamp in {seconds} seconds.";

    } };
}
