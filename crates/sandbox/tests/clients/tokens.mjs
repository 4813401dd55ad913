// Issued currencies with xrpl.js: trust lines, payments with a transfer fee, partial payments, freezing,
// offers, checks, multi-purpose tokens, and what is only simulated.
import { accounts, assert, run, settle, xrpl } from './model.mjs'

await run(async (client) => {
  const [issuer, alice, bob, carol, maker, taker] = await accounts(client, 6)
  const usd = (value) => ({ currency: 'USD', issuer: issuer.address, value })
  await settle(
    client,
    {
      TransactionType: 'AccountSet',
      Account: issuer.address,
      SetFlag: xrpl.AccountSetAsfFlags.asfDefaultRipple,
      TransferRate: 1_100_000_000,
    },
    issuer,
  )
  await Promise.all(
    [alice, bob].map((holder) =>
      settle(client, { TransactionType: 'TrustSet', Account: holder.address, LimitAmount: usd('1000') }, holder),
    ),
  )
  const issued = await settle(client, pay(issuer, alice, usd('250')), issuer)
  assert.deepEqual(issued.meta.delivered_amount, usd('250'))

  const paid = await settle(client, { ...pay(alice, bob, usd('100')), SendMax: usd('110') }, alice)
  assert.deepEqual(paid.meta.delivered_amount, usd('100'))
  assert.deepEqual(await held(alice), '140')
  assert.deepEqual(await held(bob), '100')
  const dry = await client.submit({ ...pay(alice, bob, usd('200')), SendMax: usd('220') }, { wallet: alice })
  assert.equal(dry.result.engine_result, 'tecPATH_PARTIAL')

  // What would happen, without a signature and without its happening.
  const unsigned = await client.autofill({ ...pay(alice, bob, usd('30')), SendMax: usd('33') })
  const simulated = await client.simulate(unsigned)
  assert.equal(simulated.result.engine_result, 'tesSUCCESS')
  assert.equal(simulated.result.applied, false)
  assert.equal(simulated.result.meta.TransactionResult, 'tesSUCCESS')
  assert.deepEqual(await held(alice), '140')

  // What arrives is less than what was named: the library warns of it.
  const partial = await settle(
    client,
    {
      ...pay(alice, bob, usd('500')),
      SendMax: usd('55'),
      Flags: xrpl.PaymentFlags.tfPartialPayment,
    },
    alice,
  )
  assert.deepEqual(partial.meta.delivered_amount, usd('50'))
  const found = await client.request({ command: 'tx', transaction: partial.hash })
  assert.ok(found.warnings.some((warning) => warning.id === 2001))
  assert.deepEqual(await held(bob), '150')

  await Promise.all([freezes(), trades(), tokens()])
  await checks()

  const lines = await client.request({ command: 'account_lines', account: bob.address, ledger_index: 'validated' })
  assert.equal(lines.result.lines[0].account, issuer.address)
  const gateway = await client.request({
    command: 'gateway_balances',
    account: issuer.address,
    ledger_index: 'validated',
  })
  assert.deepEqual(Object.keys(gateway.result.obligations), ['USD'])
  const currencies = await client.request({ command: 'account_currencies', account: bob.address })
  assert.deepEqual(currencies.result.send_currencies, ['USD'])

  /** Both lines stay out of this: an account of its own is frozen. */
  async function freezes() {
    await settle(client, { TransactionType: 'TrustSet', Account: carol.address, LimitAmount: usd('10') }, carol)
    await settle(
      client,
      {
        TransactionType: 'TrustSet',
        Account: issuer.address,
        LimitAmount: { currency: 'USD', issuer: carol.address, value: '0' },
        Flags: xrpl.TrustSetFlags.tfSetFreeze,
      },
      issuer,
    )
    const { result } = await client.request({ command: 'account_lines', account: carol.address })
    assert.equal(result.lines[0].freeze_peer, true)
  }

  /** Alice sells dollars for XRP, Bob takes them. */
  async function trades() {
    const offer = await settle(
      client,
      {
        TransactionType: 'OfferCreate',
        Account: alice.address,
        TakerPays: xrpl.xrpToDrops(5),
        TakerGets: usd('10'),
      },
      alice,
    )
    const offers = await client.request({ command: 'account_offers', account: alice.address })
    assert.equal(offers.result.offers[0].seq, offer.tx_json.Sequence)
    const book = await client.getOrderbook(
      { currency: 'USD', issuer: issuer.address },
      { currency: 'XRP' },
      { ledger_index: 'validated' },
    )
    assert.deepEqual([...book.buy, ...book.sell].map((each) => each.Account), [alice.address])
    const before = Number(await held(bob))
    await settle(
      client,
      {
        TransactionType: 'OfferCreate',
        Account: bob.address,
        TakerPays: usd('10'),
        TakerGets: xrpl.xrpToDrops(5),
        Flags: xrpl.OfferCreateFlags.tfFillOrKill,
      },
      bob,
    )
    assert.equal(Number(await held(bob)) - before, 10)
    const after = await client.request({ command: 'account_offers', account: alice.address })
    assert.deepEqual(after.result.offers, [])
  }

  /** A multi-purpose token from its issue to a payment. */
  async function tokens() {
    const created = await settle(
      client,
      {
        TransactionType: 'MPTokenIssuanceCreate',
        Account: maker.address,
        MaximumAmount: '1000000',
        AssetScale: 2,
        Flags: xrpl.MPTokenIssuanceCreateFlags.tfMPTCanTransfer,
      },
      maker,
    )
    const mpt_issuance_id = created.meta.mpt_issuance_id
    assert.match(mpt_issuance_id, /^[0-9A-F]{48}$/)
    await settle(
      client,
      { TransactionType: 'MPTokenAuthorize', Account: taker.address, MPTokenIssuanceID: mpt_issuance_id },
      taker,
    )
    const amount = { mpt_issuance_id, value: '4200' }
    const sent = await settle(client, pay(maker, taker, amount), maker)
    assert.deepEqual(sent.meta.delivered_amount, amount)
    const { result } = await client.request({ command: 'account_objects', account: taker.address })
    const held = result.account_objects.find((object) => object.LedgerEntryType === 'MPToken')
    assert.equal(held.MPTAmount, '4200')
  }

  /** A check in dollars, cashed for a part. */
  async function checks() {
    const written = await settle(
      client,
      { TransactionType: 'CheckCreate', Account: alice.address, Destination: bob.address, SendMax: usd('20') },
      alice,
    )
    const CheckID = created(written, 'Check')
    const cashed = await settle(
      client,
      { TransactionType: 'CheckCash', Account: bob.address, CheckID, Amount: usd('10') },
      bob,
    )
    assert.deepEqual(cashed.meta.delivered_amount, usd('10'))
  }

  function created(result, type) {
    const node = result.meta.AffectedNodes.find((each) => each.CreatedNode?.LedgerEntryType === type)
    return node.CreatedNode.LedgerIndex
  }

  function pay(from, to, amount) {
    return { TransactionType: 'Payment', Account: from.address, Destination: to.address, Amount: amount }
  }

  async function held(wallet) {
    const balances = await client.getBalances(wallet.address)
    assert.equal(balances[0].currency, 'XRP')
    return balances.find((balance) => balance.currency === 'USD' && balance.issuer === issuer.address).value
  }
})
