"""Payments of XRP with xrpl-py over websocket: submit_and_wait, autofill_and_sign, balances, history by
markers, tickets and multi-signing, and what fails."""

from model import ADDRESS, accounts, at_once, end, settle
from xrpl.account import (
    does_account_exist,
    get_account_root,
    get_balance,
    get_latest_transaction,
    get_next_valid_seq_number,
)
from xrpl.clients import WebsocketClient
from xrpl.ledger import get_fee, get_latest_open_ledger_sequence, get_latest_validated_ledger_sequence
from xrpl.models import (
    AccountObjects,
    AccountSet,
    AccountTx,
    Memo,
    Payment,
    ServerInfo,
    SignerEntry,
    SignerListSet,
    TicketCreate,
    Tx,
)
from xrpl.models.requests.account_objects import AccountObjectType
from xrpl.transaction import (
    XRPLReliableSubmissionException,
    autofill,
    autofill_and_sign,
    multisign,
    sign,
    submit,
    submit_and_wait,
)
from xrpl.wallet import Wallet


def pays(client):
    alice, bob = accounts(client, 2)
    assert get_balance(alice.address, client) == 1_000_000_000
    assert does_account_exist(alice.address, client)
    assert not does_account_exist(Wallet.create().address, client)
    assert get_fee(client) == "10"
    # The validated ledger first: another may close between the two questions.
    validated = get_latest_validated_ledger_sequence(client)
    assert get_latest_open_ledger_sequence(client) > validated

    payment = Payment(
        account=alice.address,
        destination=bob.address,
        amount="12500000",
        destination_tag=7,
        memos=[Memo(memo_type="696E766F696365", memo_data="C0FFEE")],
    )
    signed = autofill_and_sign(payment, client, alice)
    assert signed.fee == "10" and signed.last_ledger_sequence is not None
    paid = submit_and_wait(signed, client).result
    assert paid["hash"] == signed.get_hash() and paid["validated"] is True
    assert paid["meta"]["delivered_amount"] == "12500000"
    assert paid["tx_json"]["DeliverMax"] == "12500000" and "Amount" not in paid["tx_json"]
    assert get_balance(bob.address, client) == 1_012_500_000
    assert get_account_root(alice.address, client)["Sequence"] == signed.sequence + 1
    latest = get_latest_transaction(bob.address, client).result["transactions"][0]
    assert latest["hash"] == signed.get_hash()
    found = client.request(Tx(transaction=signed.get_hash())).result
    assert found["ledger_index"] == paid["ledger_index"] and found["validated"] is True

    again = submit(signed, client)
    assert again.result["engine_result"] == "tefPAST_SEQ"
    for amount, destination, said in [
        ("5", Wallet.create().address, "tecNO_DST_INSUF_XRP"),
        ("999999999999", alice.address, "tecUNFUNDED_PAYMENT"),
    ]:
        try:
            refused = Payment(account=bob.address, destination=destination, amount=amount)
            submit_and_wait(refused, client, bob)
        except XRPLReliableSubmissionException as error:
            assert said in str(error), error
        else:
            raise AssertionError(f"{said} did not come")

    reads_history(client, alice, bob)


def reads_history(client, alice, bob):
    first = get_next_valid_seq_number(alice.address, client)
    for n in range(23):
        unsigned = Payment(
            account=alice.address, destination=bob.address, amount=str(100 + n), sequence=first + n
        )
        taken = submit(autofill_and_sign(unsigned, client, alice), client)
        assert taken.result["engine_result"] == "tesSUCCESS", taken
    settle(client, AccountSet(account=alice.address, sequence=first + 23), alice)

    hashes, sizes, marker = [], [], None
    while True:
        page = client.request(
            AccountTx(account=alice.address, ledger_index_min=-1, forward=True, limit=10, marker=marker)
        )
        assert page.is_successful(), page
        rows = page.result["transactions"]
        sizes.append(len(rows))
        hashes.extend(row["hash"] for row in rows)
        assert all(row["validated"] for row in rows)
        marker = page.result.get("marker")
        if marker is None:
            break
    assert sizes == [10, 10, 6], sizes
    whole = client.request(AccountTx(account=alice.address, ledger_index_min=-1, forward=True))
    assert [row["hash"] for row in whole.result["transactions"]] == hashes
    sequences = [row["tx_json"]["Sequence"] for row in whole.result["transactions"][2:-1]]
    assert sequences == list(range(first, first + 23)), sequences


def signs(client):
    company, hot = accounts(client, 2)
    signers = [Wallet.create() for _ in range(3)]
    entries = [SignerEntry(account=signer.address, signer_weight=1) for signer in signers]
    at_once(
        lambda: settle(
            client,
            SignerListSet(account=company.address, signer_quorum=2, signer_entries=entries),
            company,
        ),
        lambda: settle(client, TicketCreate(account=hot.address, ticket_count=3), hot),
    )

    unsigned = Payment(account=company.address, destination=hot.address, amount="4242")
    prepared = autofill(unsigned, client, signers_count=2)
    assert prepared.fee == "30", prepared.fee
    parts = [sign(prepared, signer, multisign=True) for signer in signers[:2]]
    light = submit(multisign(prepared, parts[:1]), client)
    assert light.result["engine_result"] == "tefBAD_QUORUM", light
    both = submit_and_wait(multisign(prepared, parts), client)
    assert both.result["meta"]["TransactionResult"] == "tesSUCCESS", both

    objects = client.request(
        AccountObjects(account=hot.address, type=AccountObjectType.TICKET, ledger_index="validated")
    )
    tickets = sorted(ticket["TicketSequence"] for ticket in objects.result["account_objects"])
    assert len(tickets) == 3, objects
    by_ticket = Payment(
        account=hot.address,
        destination=company.address,
        amount="9",
        sequence=0,
        ticket_sequence=tickets[-1],
    )
    assert settle(client, by_ticket, hot)["tx_json"]["TicketSequence"] == tickets[-1]
    assert get_account_root(hot.address, client)["TicketCount"] == 2


def work(part):
    with WebsocketClient(f"ws://{ADDRESS}") as client:
        assert client.request(ServerInfo()).result["info"]["server_state"] == "full"
        part(client)


work(pays)
work(signs)
end()
