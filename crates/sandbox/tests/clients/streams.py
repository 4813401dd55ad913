"""Subscriptions with xrpl-py over websocket: ledgers and transactions as they are validated, in order,
while the same connection submits."""

import asyncio

from model import ADDRESS, GENESIS, end
from xrpl.asyncio.clients import AsyncWebsocketClient
from xrpl.asyncio.transaction import submit_and_wait
from xrpl.models import Payment, StreamParameter, Subscribe, Unsubscribe
from xrpl.wallet import Wallet


async def main():
    alice = Wallet.create()
    heard = []
    async with AsyncWebsocketClient(f"ws://{ADDRESS}") as client:

        async def listen():
            async for message in client:
                heard.append(message)

        listener = asyncio.create_task(listen())
        answer = await client.request(
            Subscribe(streams=[StreamParameter.LEDGER], accounts=[alice.address])
        )
        assert answer.is_successful() and answer.result["fee_base"] == 10, answer
        payment = Payment(account=GENESIS.address, destination=alice.address, amount="50000000")
        paid = (await submit_and_wait(payment, client, GENESIS)).result
        await until(lambda: any(message["type"] == "transaction" for message in heard))
        await client.request(
            Unsubscribe(streams=[StreamParameter.LEDGER], accounts=[alice.address])
        )
        listener.cancel()

    transactions = [message for message in heard if message["type"] == "transaction"]
    assert [message["hash"] for message in transactions] == [paid["hash"]], transactions
    assert transactions[0]["meta"]["delivered_amount"] == "50000000"
    assert transactions[0]["engine_result"] == "tesSUCCESS"
    ledgers = [message["ledger_index"] for message in heard if message["type"] == "ledgerClosed"]
    assert ledgers == list(range(ledgers[0], ledgers[0] + len(ledgers))), ledgers
    closed = next(
        at
        for at, message in enumerate(heard)
        if message["type"] == "ledgerClosed" and message["ledger_index"] == paid["ledger_index"]
    )
    assert closed < heard.index(transactions[0])


async def until(holds):
    """Waits for a condition that news will make true."""
    for _ in range(750):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


asyncio.run(main())
end()
