//! How wallets are spread over the replicas that may hold them.
//!
//! Every replica decides for itself from the same picture, and only the first of those that hold the most
//! gives anything away: so one wallet moves at a time, and none moves back. A wallet is given away only
//! where somebody holds two fewer, which ends when nobody does. While a wallet is nobody's, none is given
//! away: whoever takes it changes the picture.

/// Who holds one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The wallet.
    pub wallet: &'a str,
    /// The replica that holds it, where one does.
    pub holder: Option<&'a str>,
}

/// The wallet that `me` is to give away now. `replicas` are those that live and go on living.
#[must_use]
pub fn to_give<'a>(me: &str, places: &[Place<'a>], replicas: &[&str]) -> Option<&'a str> {
    let held_by = |replica: &str| {
        let holds = |place: &&Place<'_>| place.holder == Some(replica);
        places.iter().filter(holds).count()
    };
    let is_settled = |place: &Place<'_>| {
        let holder = place.holder;
        holder.is_some_and(|holder| replicas.contains(&holder))
    };
    if !places.iter().all(is_settled) {
        return None;
    }
    let counts: Vec<(usize, &str)> = replicas.iter().map(|id| (held_by(id), *id)).collect();
    let most = counts.iter().map(|(count, _)| *count).max()?;
    let least = counts.iter().map(|(count, _)| *count).min()?;
    let first = counts
        .iter()
        .filter(|(count, _)| *count == most)
        .map(|(_, id)| *id)
        .min()?;
    if first != me || most < least.saturating_add(2) {
        return None;
    }
    let mine = places.iter().filter(|place| place.holder == Some(me));
    mine.map(|place| place.wallet).max()
}

/// Whether `me` is the one to take a wallet that has become nobody's; the others wait a moment, so that
/// it can. Of those that hold the fewest one is drawn for each wallet, the same one by all.
#[must_use]
pub fn is_first(me: &str, wallet: &str, places: &[Place<'_>], replicas: &[&str]) -> bool {
    // Who had it until now has died or given it away.
    let left_by = places
        .iter()
        .find(|place| place.wallet == wallet)
        .and_then(|place| place.holder);
    let held_by = |replica: &str| {
        let holds = |place: &&Place<'_>| place.holder == Some(replica);
        places.iter().filter(holds).count()
    };
    replicas
        .iter()
        .filter(|id| left_by != Some(**id))
        .min_by_key(|id| (held_by(id), drawn(wallet, id), **id))
        .is_none_or(|first| *first == me)
}

/// A number that follows from both names alone (FNV-1a).
fn drawn(wallet: &str, replica: &str) -> u64 {
    let bytes = wallet.bytes().chain([0]).chain(replica.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(kind: &str, count: usize) -> Vec<String> {
        (0..count).map(|n| format!("{kind}{n}")).collect()
    }

    fn places<'a>(wallets: &'a [String], holders: &[Option<&'a str>]) -> Vec<Place<'a>> {
        let of = |(wallet, holder): (&'a String, &Option<&'a str>)| Place {
            wallet,
            holder: *holder,
        };
        wallets.iter().zip(holders).map(of).collect()
    }

    fn counts(holders: &[Option<&str>], replicas: &[&str]) -> Vec<usize> {
        let of = |id: &&str| holders.iter().filter(|holder| **holder == Some(id)).count();
        replicas.iter().map(of).collect()
    }

    #[test]
    fn a_newcomer_is_given_its_share_one_by_one_and_then_nothing_moves() {
        let wallets = names("w", 5);
        let all = ["a", "b"];
        let mut holders = vec![Some("a"); 5];
        let mut moves = 0;
        while let Some(given) = to_give("a", &places(&wallets, &holders), &all) {
            assert_eq!(to_give("b", &places(&wallets, &holders), &all), None);
            let at = wallets.iter().position(|wallet| wallet == given).unwrap();
            assert!(is_first("b", given, &places(&wallets, &holders), &all));
            assert!(!is_first("a", given, &places(&wallets, &holders), &all));
            holders[at] = Some("b");
            moves += 1;
        }
        assert_eq!((moves, counts(&holders, &all)), (2, vec![3, 2]));
    }

    #[test]
    fn one_wallet_stays_where_it_is() {
        let wallets = names("w", 1);
        let holders = [Some("b")];
        for me in ["a", "b", "c"] {
            assert_eq!(
                to_give(me, &places(&wallets, &holders), &["a", "b", "c"]),
                None
            );
        }
    }

    #[test]
    fn nothing_is_given_away_while_a_wallet_is_nobodys_or_a_dead_replicas() {
        let wallets = names("w", 4);
        for odd in [None, Some("dead")] {
            let holders = [Some("a"), Some("a"), Some("a"), odd];
            assert_eq!(to_give("a", &places(&wallets, &holders), &["a", "b"]), None);
        }
    }

    #[test]
    fn alone_a_replica_takes_everything_at_once() {
        let wallets = names("w", 3);
        let holders = [None, Some("dead"), None];
        for wallet in &wallets {
            assert!(is_first("a", wallet, &places(&wallets, &holders), &["a"]));
            assert!(
                is_first("a", wallet, &places(&wallets, &holders), &[]),
                "not seen yet"
            );
        }
    }

    proptest! {
        /// Whoever holds what at first: one wallet at a time moves, from the fullest to the emptiest, and
        /// after as many moves as are needed nobody holds two more than another, for good.
        #[test]
        fn wallets_come_to_rest_evenly(
            count in 0_usize..24,
            members in 1_usize..6,
            first in proptest::collection::vec(0_usize..6, 24),
        ) {
            let (wallets, ids) = (names("w", count), names("r", members));
            let replicas: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut holders: Vec<Option<&str>> =
                first[..count].iter().map(|n| Some(replicas[n % members])).collect();
            for _ in 0..=count {
                let seen = places(&wallets, &holders);
                let given: Vec<(&str, &str)> = replicas
                    .iter()
                    .filter_map(|me| Some((*me, to_give(me, &seen, &replicas)?)))
                    .collect();
                prop_assert!(given.len() <= 1, "{given:?}");
                let Some((giver, wallet)) = given.first().copied() else { break };
                let takers: Vec<&str> = replicas
                    .iter()
                    .filter(|me| is_first(me, wallet, &seen, &replicas))
                    .copied()
                    .collect();
                prop_assert_eq!(takers.len(), 1);
                let held = counts(&holders, &replicas);
                let of = |id: &str| held[replicas.iter().position(|known| *known == id).unwrap()];
                prop_assert!(of(giver) >= of(takers[0]) + 2, "a wallet moves downhill");
                let at = wallets.iter().position(|known| known == wallet).unwrap();
                holders[at] = Some(takers[0]);
            }
            let held = counts(&holders, &replicas);
            let (most, least) = (held.iter().max().unwrap(), held.iter().min().unwrap());
            prop_assert!(most - least <= 1, "{held:?}");
        }

        /// Of those that see the same picture exactly one goes first, whoever is left.
        #[test]
        fn one_goes_first(
            members in 1_usize..6,
            owner in 0_usize..7,
            others in proptest::collection::vec(0_usize..6, 0..8),
        ) {
            let ids = names("r", members);
            let replicas: Vec<&str> = ids.iter().map(String::as_str).collect();
            let wallets = names("w", others.len() + 1);
            let mut holders = vec![replicas.get(owner).copied()];
            holders.extend(others.iter().map(|n| replicas.get(*n).copied()));
            let seen = places(&wallets, &holders);
            let first = replicas.iter().filter(|me| is_first(me, "w0", &seen, &replicas)).count();
            prop_assert_eq!(first, 1);
        }
    }
}
