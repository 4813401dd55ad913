"""Issued currencies with xrpl-py: trust lines, payments, what is partial, offers."""

from model import ADDRESS, accounts, at_once, end, settle
from xrpl.clients import WebsocketClient
from xrpl.models import (
    AccountLines,
    AccountOffers,
    AccountSet,
    AccountSetAsfFlag,
    GatewayBalances,
    IssuedCurrencyAmount,
    OfferCreate,
    Payment,
    PaymentFlag,
    TrustSet,
)


def main(client):
    issuer, alice, bob = accounts(client, 3)

    def eur(value):
        return IssuedCurrencyAmount(currency="EUR", issuer=issuer.address, value=value)

    def held(wallet):
        answer = client.request(AccountLines(account=wallet.address, ledger_index="validated"))
        return answer.result["lines"][0]["balance"]

    rippling = AccountSet(account=issuer.address, set_flag=AccountSetAsfFlag.ASF_DEFAULT_RIPPLE)
    settle(client, rippling, issuer)
    at_once(
        *(
            lambda holder=holder: settle(
                client, TrustSet(account=holder.address, limit_amount=eur("1000")), holder
            )
            for holder in (alice, bob)
        )
    )
    settle(
        client, Payment(account=issuer.address, destination=alice.address, amount=eur("70.5")), issuer
    )
    paid = settle(
        client, Payment(account=alice.address, destination=bob.address, amount=eur("20.25")), alice
    )
    assert paid["meta"]["delivered_amount"] == eur("20.25").to_dict(), paid
    assert (held(alice), held(bob)) == ("50.25", "20.25")
    partial = settle(
        client,
        Payment(
            account=alice.address,
            destination=bob.address,
            amount=eur("900"),
            send_max=eur("900"),
            deliver_min=eur("1"),
            flags=PaymentFlag.TF_PARTIAL_PAYMENT,
        ),
        alice,
    )
    assert partial["meta"]["delivered_amount"] == eur("50.25").to_dict(), partial
    owed = client.request(GatewayBalances(account=issuer.address, ledger_index="validated"))
    assert owed.result["obligations"] == {"EUR": "70.5"}, owed

    offer = OfferCreate(account=bob.address, taker_pays="7000000", taker_gets=eur("7"))
    placed = settle(client, offer, bob)
    offers = client.request(AccountOffers(account=bob.address)).result["offers"]
    assert [each["seq"] for each in offers] == [placed["tx_json"]["Sequence"]], offers
    taken = OfferCreate(account=alice.address, taker_pays=eur("7"), taker_gets="7000000")
    settle(client, taken, alice)
    assert (held(alice), held(bob)) == ("7", "63.5")


with WebsocketClient(f"ws://{ADDRESS}") as connected:
    main(connected)
end()
