//! Whose word a server's word is.
//!
//! Servers of one operator are one voice: they fail, lag and are misled together. Where the servers
//! that count are run by fewer operators than the quorum asks for, the operators cannot tell the
//! voices apart, and each server is a voice of its own; the pool says so when it starts.

use super::config::{ServerConfig, Voice};
use std::collections::BTreeSet;

/// How the voices of a set of servers are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// By who runs them.
    ByOperator,
    /// Each server is its own.
    ByServer,
}

/// How the voices of these servers are told apart.
pub(super) fn told_apart(servers: &[ServerConfig], quorum: usize) -> Told {
    let operators: BTreeSet<&str> = servers
        .iter()
        .filter(|server| server.voice == Voice::Counts)
        .map(|server| server.operator.as_str())
        .collect();
    if operators.len() >= quorum {
        Told::ByOperator
    } else {
        Told::ByServer
    }
}

impl Told {
    /// The voice that a server's word belongs to; `None` where it does not count.
    pub(super) fn voter(self, server: &ServerConfig) -> Option<String> {
        (server.voice == Voice::Counts).then(|| match self {
            Self::ByOperator => server.operator.clone(),
            Self::ByServer => server.name.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(name: &str, operator: &str, voice: Voice) -> ServerConfig {
        ServerConfig {
            name: name.to_owned(),
            url: format!("ws://{name}"),
            operator: operator.to_owned(),
            priority: 0,
            voice,
            pins: Vec::new(),
        }
    }

    #[test]
    fn servers_of_one_operator_are_one_voice_where_there_are_operators_enough() {
        let mut servers = vec![
            server("a1", "a", Voice::Counts),
            server("a2", "a", Voice::Counts),
            server("b1", "b", Voice::Counts),
        ];
        let told = told_apart(&servers, 2);
        assert_eq!(told, Told::ByOperator);
        assert_eq!(told.voter(&servers[0]), told.voter(&servers[1]));
        assert_ne!(told.voter(&servers[0]), told.voter(&servers[2]));
        servers[2].voice = Voice::Unheard;
        let told = told_apart(&servers, 2);
        assert_eq!(told, Told::ByServer);
        assert_ne!(told.voter(&servers[0]), told.voter(&servers[1]));
        assert_eq!(told.voter(&servers[2]), None);
    }
}
