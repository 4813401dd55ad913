// Subscriptions with xrpl.js: ledgers, transactions, accounts, and what is proposed; and a client that
// is cut off and comes back by itself.
import { accounts, assert, connect, run, settle, xrpl } from './model.mjs'

await run(async (client) => {
  const [alice, bob, carol] = await accounts(client, 3)
  const ledgers = []
  const transactions = []
  client.on('ledgerClosed', (ledger) => ledgers.push(ledger))
  client.on('transaction', (message) => transactions.push(message))
  const subscribed = await client.request({ command: 'subscribe', streams: ['ledger', 'transactions'] })
  assert.equal(subscribed.result.fee_base, 10)
  assert.equal(typeof subscribed.result.ledger_hash, 'string')

  // A second client hears of one account only, and of what is not validated yet.
  const watcher = await connect()
  const heard = []
  watcher.on('transaction', (message) => heard.push(message))
  await watcher.request({ command: 'subscribe', accounts_proposed: [carol.address] })

  const pay = (from, to, drops) => ({
    TransactionType: 'Payment',
    Account: from.address,
    Destination: to.address,
    Amount: drops,
  })
  const [first, second] = await Promise.all([
    settle(client, pay(alice, bob, '111'), alice),
    settle(client, pay(bob, carol, '222'), bob),
  ])
  await until(() => [first, second].every((each) => transactions.some((one) => one.hash === each.hash)))
  for (const each of [first, second]) {
    const message = transactions.find((one) => one.hash === each.hash)
    assert.equal(message.type, 'transaction')
    assert.equal(message.validated, true)
    assert.equal(message.engine_result, 'tesSUCCESS')
    assert.equal(message.ledger_index, each.ledger_index)
    assert.equal(message.meta.delivered_amount, each.tx_json.DeliverMax)
    assert.equal(message.tx_json.DeliverMax, each.tx_json.DeliverMax)
    const closed = ledgers.find((ledger) => ledger.ledger_index === each.ledger_index)
    assert.equal(closed.ledger_hash, each.ledger_hash)
    assert.ok(closed.txn_count >= 1)
  }
  for (const [n, ledger] of ledgers.slice(1).entries()) {
    assert.equal(ledger.ledger_index, ledgers[n].ledger_index + 1)
    assert.ok(ledger.ledger_time > ledgers[n].ledger_time)
  }
  await until(() => heard.some((message) => message.validated))
  assert.ok(heard.every((message) => message.hash === second.hash))
  assert.deepEqual(heard.map((message) => message.validated), [false, true])

  // Nothing more comes after unsubscribing.
  await client.request({ command: 'unsubscribe', streams: ['ledger', 'transactions'] })
  const [ledgerCount, heardBefore] = [ledgers.length, heard.length]
  await settle(client, pay(alice, carol, '333'), alice)
  await until(() => heard.length === heardBefore + 2)
  assert.equal(ledgers.length, ledgerCount)

  // The library reconnects where a connection is lost, and goes on.
  const reconnected = new Promise((resolve) => watcher.once('connected', resolve))
  await client.connection.request({ command: 'sandbox_fault', kind: 'disconnect' }).catch(() => {})
  await reconnected
  assert.equal(await watcher.getXrpBalance(carol.address), 1000.000555)
  await watcher.disconnect()
  await until(() => client.isConnected())
})

/** Waits for a condition that news will make true. */
async function until(holds) {
  const deadline = Date.now() + 15_000
  while (!holds()) {
    assert.ok(Date.now() < deadline, `never came true: ${holds}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
