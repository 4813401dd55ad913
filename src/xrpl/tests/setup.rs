//! What a quorum of servers says of how an account is set up.

use super::world::{Fake, Reaction, World, genesis};
use crate::xrpl::{AccountSetup, HistoryError, Pool};
use serde_json::{Value, json};
use xrpayd_core::address::AccountId;
use xrpayd_core::ids::LedgerIndex;

const AT: LedgerIndex = LedgerIndex(5);
const KEY: &str = "rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe";

fn tell(server: &mut Fake, flags: u32, quorum: u32) {
    let hash = server.hash(AT.0);
    server.on("account_info", move |request| {
        assert_eq!(request["signer_lists"], true);
        let root = json!({"Account": request["account"], "Balance": "7", "Flags": flags, "OwnerCount": 1,
            "PreviousTxnLgrSeq": 3, "Sequence": 1, "RegularKey": KEY, "TicketCount": 2});
        let signer = json!({"SignerEntry": {"Account": KEY, "SignerWeight": 1}});
        let list = json!({"SignerQuorum": quorum, "SignerEntries": [signer], "SignerListID": 0});
        Some(Reaction::Result(json!({"account_data": root, "signer_lists": [list],
            "ledger_index": AT.0, "ledger_hash": hash, "validated": true})))
    });
}

async fn told(world: &World) -> Result<Option<AccountSetup>, HistoryError> {
    let pool: Pool = world.ready().await;
    let agreed = pool.account_setup(genesis(), AT).await?;
    assert_eq!((agreed.at, agreed.servers.len()), (AT, 2));
    Ok(agreed.setup)
}

#[tokio::test(start_paused = true)]
async fn flags_regular_key_signers_and_tickets_are_agreed_at_one_validated_ledger() {
    let world = World::new(2);
    world.each(|server| tell(server, 0x0013_0000, 1));
    let setup = told(&world).await.unwrap().unwrap();
    let key: AccountId = KEY.parse().unwrap();
    assert!(setup.requires_tag() && setup.is_master_disabled() && !setup.requires_authorization());
    assert!(setup.lets_sign(genesis(), key) && !setup.lets_sign(genesis(), genesis()));
    assert_eq!(setup.ticket_count, 2);
    assert_eq!(setup.signers.unwrap().signers, [(key, 1)]);
}

#[tokio::test(start_paused = true)]
async fn servers_that_contradict_each_other_about_a_signer_list_prove_nothing() {
    let world = World::new(2);
    tell(&mut world.server(0), 0, 1);
    tell(&mut world.server(1), 0, 2);
    let verdict = told(&world).await;
    assert!(
        matches!(verdict, Err(HistoryError::Disagreement { .. })),
        "{verdict:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_that_does_not_exist_is_agreed_on_too() {
    let world = World::new(2);
    world.each(|server| {
        let hash = server.hash(AT.0);
        server.on("account_info", move |_: &Value| {
            let beside = json!({"ledger_index": AT.0, "ledger_hash": hash, "validated": true});
            Some(Reaction::Error("actNotFound", beside))
        });
    });
    assert_eq!(told(&world).await.unwrap(), None);
}
