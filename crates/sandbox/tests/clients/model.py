"""What the scripts of xrpl-py share: the account that owns everything at first, accounts with money,
and the closing line that tells the test that a script came to its end."""

import sys
from concurrent.futures import ThreadPoolExecutor

from xrpl.account import get_next_valid_seq_number
from xrpl.constants import CryptoAlgorithm
from xrpl.models import Payment
from xrpl.transaction import submit_and_wait
from xrpl.utils import xrp_to_drops
from xrpl.wallet import Wallet

ADDRESS = sys.argv[1]
# The seed is the one of every standalone server.
GENESIS = Wallet.from_seed("snoPBrXtMeMyMHUVTgbuqAfg1SUTb", algorithm=CryptoAlgorithm.SECP256K1)


def settle(client, transaction, wallet):
    """Submits, waits until it is validated, and returns the result."""
    result = submit_and_wait(transaction, client, wallet).result
    assert result["validated"] is True, result
    assert result["meta"]["TransactionResult"] == "tesSUCCESS", result
    return result


def accounts(client, count):
    """So many new accounts with 1000 XRP each."""
    wallets = [Wallet.create() for _ in range(count)]
    first = get_next_valid_seq_number(GENESIS.address, client)
    payments = [
        Payment(
            account=GENESIS.address,
            destination=wallet.address,
            amount=xrp_to_drops(1000),
            sequence=first + n,
        )
        for n, wallet in enumerate(wallets)
    ]
    at_once(*(lambda payment=payment: settle(client, payment, GENESIS) for payment in payments))
    return wallets


def at_once(*works):
    """Does these at the same time, each in a thread, and returns what they return."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(work) for work in works]]


def end():
    """Says that every assertion held."""
    print("every assertion held")
