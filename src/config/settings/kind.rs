//! What kinds of values settings take, and what the manual calls them.

/// What kind of value a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Kind {
    /// A text.
    Text,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// An amount in XRP, as a decimal text.
    Xrp,
    /// An amount in drops, as a text.
    Drops,
    /// A duration text.
    Duration,
    /// A share between 0 and 1, as a decimal text.
    Share,
    /// A classic address.
    Address,
    /// A reference to a secret.
    Secret,
    /// An address and port to listen on.
    Listen,
    /// A URL.
    Url,
    /// A list of texts.
    List,
    /// A list of URLs, or of tables with further settings.
    Servers,
    /// A list of tables with further settings.
    Tables,
    /// Nothing: its name is kept for a later version.
    Reserved,
}

impl Kind {
    /// The kind in the words of the manual.
    pub(in crate::config) fn words(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Choice(all) => all.join(" / "),
            Self::Number => "whole number".to_owned(),
            Self::Switch => "true / false".to_owned(),
            Self::Xrp => "XRP, decimal text".to_owned(),
            Self::Drops => "drops, text".to_owned(),
            Self::Duration => "duration".to_owned(),
            Self::Share => "share, decimal text".to_owned(),
            Self::Address => "address".to_owned(),
            Self::Secret => "secret reference".to_owned(),
            Self::Listen => "address:port".to_owned(),
            Self::Url => "URL".to_owned(),
            Self::List => "list of texts".to_owned(),
            Self::Servers => "list of URLs or tables".to_owned(),
            Self::Tables => "list of tables".to_owned(),
            Self::Reserved => "nothing yet".to_owned(),
        }
    }
}
