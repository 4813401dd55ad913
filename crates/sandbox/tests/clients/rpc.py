"""xrpl-py over HTTP JSON-RPC, on the same port as websocket: submit_and_wait, history by markers, what
is refused."""

from model import ADDRESS, accounts, end, settle
from xrpl.account import does_account_exist, get_balance
from xrpl.clients import JsonRpcClient
from xrpl.ledger import get_latest_validated_ledger_sequence
from xrpl.models import AccountTx, Payment, ServerInfo, Tx
from xrpl.transaction import autofill_and_sign, submit
from xrpl.wallet import Wallet

client = JsonRpcClient(f"http://{ADDRESS}")
info = client.request(ServerInfo())
assert info.is_successful() and info.result["info"]["server_state"] == "full", info
alice, bob = accounts(client, 2)
assert get_balance(alice.address, client) == 1_000_000_000
assert not does_account_exist(Wallet.create().address, client)
paid = settle(client, Payment(account=alice.address, destination=bob.address, amount="777"), alice)
assert paid["meta"]["delivered_amount"] == "777" and paid["tx_json"]["DeliverMax"] == "777"
assert paid["ledger_index"] <= get_latest_validated_ledger_sequence(client)
unfunded = Payment(account=bob.address, destination=alice.address, amount="999999999999")
refused = submit(autofill_and_sign(unfunded, client, bob), client)
assert refused.result["engine_result"] == "tecUNFUNDED_PAYMENT", refused
unknown = client.request(Tx(transaction="AB" * 32))
assert not unknown.is_successful() and unknown.result["error"] == "txnNotFound", unknown

rows, marker = [], None
while True:
    page = client.request(
        AccountTx(account=alice.address, ledger_index_min=-1, forward=True, limit=1, marker=marker)
    )
    assert page.is_successful(), page
    rows.extend(page.result["transactions"])
    marker = page.result.get("marker")
    if marker is None:
        break
assert [row["tx_json"]["Account"] == alice.address for row in rows] == [False, True], rows
end()
