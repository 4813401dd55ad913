// Payments of XRP with xrpl.js: autofill, submitAndWait, balances, history in pages, and what fails.
import { accounts, assert, run, settle, xrpl } from './model.mjs'

await run(async (client) => {
  assert.equal(client.apiVersion, 2)
  assert.match(client.buildVersion, /^2\.4\./)
  const [alice, bob] = await accounts(client, 2)
  assert.equal(await client.getXrpBalance(alice.address), 1000)

  const prepared = await client.autofill({
    TransactionType: 'Payment',
    Account: alice.address,
    Destination: bob.address,
    DeliverMax: xrpl.xrpToDrops('12.5'),
    DestinationTag: 7,
    Memos: [{ Memo: { MemoType: xrpl.convertStringToHex('invoice'), MemoData: 'C0FFEE' } }],
  })
  assert.equal(prepared.Amount, '12500000')
  assert.ok(prepared.LastLedgerSequence > (await client.getLedgerIndex()))
  const { tx_blob, hash } = alice.sign(prepared)
  const paid = (await client.submitAndWait(tx_blob)).result
  assert.equal(paid.hash, hash)
  assert.equal(paid.validated, true)
  assert.equal(paid.meta.delivered_amount, '12500000')
  assert.equal(paid.tx_json.DeliverMax, '12500000')
  assert.equal(paid.tx_json.Sequence, prepared.Sequence)
  assert.equal(typeof paid.close_time_iso, 'string')
  assert.deepEqual(xrpl.getBalanceChanges(paid.meta), [
    { account: alice.address, balances: [{ currency: 'XRP', value: String(-12.5 - Number(prepared.Fee) / 1e6) }] },
    { account: bob.address, balances: [{ currency: 'XRP', value: '12.5' }] },
  ].sort((a, b) => changeOrder(paid.meta, a.account) - changeOrder(paid.meta, b.account)))
  assert.equal(await client.getXrpBalance(bob.address), 1012.5)
  assert.deepEqual(await client.getBalances(bob.address), [{ currency: 'XRP', value: '1012.5' }])

  // A payment below the reserve to nobody claims its fee; the library hands the result over.
  const stranger = xrpl.Wallet.generate()
  await settle(
    client,
    { TransactionType: 'Payment', Account: bob.address, Destination: stranger.address, Amount: '5' },
    bob,
    'tecNO_DST_INSUF_XRP',
  )
  await assert.rejects(client.getXrpBalance(stranger.address), /Account not found/)
  await assert.rejects(
    client.submitAndWait(
      { TransactionType: 'Payment', Account: bob.address, Destination: bob.address, Amount: '5' },
      { wallet: bob },
    ),
    /temREDUNDANT/,
  )
  await assert.rejects(
    client.submitAndWait({ ...prepared, Amount: '1', DeliverMax: undefined }, { wallet: alice, autofill: false }),
    /tefPAST_SEQ|LastLedgerSequence/,
  )

  // Many payments at once, by sequences that the client counts itself.
  const { Sequence } = await client.autofill({ TransactionType: 'AccountSet', Account: alice.address })
  const many = Array.from({ length: 25 }, (_, n) => ({
    TransactionType: 'Payment',
    Account: alice.address,
    Destination: bob.address,
    Amount: String(100 + n),
    Sequence: Sequence + n,
  }))
  const settled = await Promise.all(many.map((payment) => settle(client, payment, alice)))
  const hashes = settled.map((result) => result.hash)

  const request = { command: 'account_tx', account: alice.address, ledger_index_min: -1, forward: true }
  const whole = await client.request({ ...request, api_version: 2 })
  const found = whole.result.transactions.map((entry) => entry.hash)
  assert.equal(found.length, 27)
  assert.deepEqual(found.slice(2), hashes)
  let page = await client.request({ ...request, limit: 10 })
  const pages = [page]
  while (page.result.marker) {
    page = await client.requestNextPage({ ...request, limit: 10 }, page)
    pages.push(page)
  }
  assert.deepEqual(pages.map((each) => each.result.transactions.length), [10, 10, 7])
  assert.deepEqual(pages.flatMap((each) => each.result.transactions.map((entry) => entry.hash)), found)
  const all = await client.requestAll({ ...request, limit: 12 })
  const collected = all.flatMap((each) => each.result.transactions)
  assert.ok(collected.length >= 12 && collected.every((entry) => entry.validated))

  const ledger = await client.request({
    command: 'ledger',
    ledger_index: paid.ledger_index,
    transactions: true,
    expand: true,
  })
  const header = ledger.result.ledger
  assert.equal(ledger.result.ledger_hash, paid.ledger_hash)
  assert.ok(header.transactions.some((entry) => entry.hash === hash))
  assert.equal(
    xrpl.hashes.hashLedgerHeader({ ...header, ledger_index: String(header.ledger_index) }),
    ledger.result.ledger_hash,
  )
  const entry = await client.request({
    command: 'ledger_entry',
    account_root: bob.address,
    ledger_index: 'validated',
  })
  assert.equal(entry.result.node.Account, bob.address)
  const fee = await client.request({ command: 'fee' })
  assert.equal(fee.result.drops.base_fee, '10')
})

function changeOrder(meta, account) {
  return meta.AffectedNodes.findIndex((node) => node.ModifiedNode?.FinalFields?.Account === account)
}
