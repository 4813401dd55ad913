// Who signs and with what number, with xrpl.js: multi-signing, a regular key, tickets, both key types.
import { accounts, assert, run, settle, xrpl } from './model.mjs'

await run(async (client) => {
  const [company, merchant, hot] = await accounts(client, 3)
  const signers = [
    xrpl.Wallet.generate(xrpl.ECDSA.ed25519),
    xrpl.Wallet.generate(xrpl.ECDSA.secp256k1),
    xrpl.Wallet.generate(xrpl.ECDSA.ed25519),
  ]
  const regular = xrpl.Wallet.generate(xrpl.ECDSA.secp256k1)
  await Promise.all([
    settle(
      client,
      {
        TransactionType: 'SignerListSet',
        Account: company.address,
        SignerQuorum: 3,
        SignerEntries: signers.map((signer, n) => ({
          SignerEntry: { Account: signer.address, SignerWeight: n + 1 },
        })),
      },
      company,
    ),
    settle(
      client,
      { TransactionType: 'SetRegularKey', Account: merchant.address, RegularKey: regular.address },
      merchant,
    ),
    settle(client, { TransactionType: 'TicketCreate', Account: hot.address, TicketCount: 5 }, hot),
  ])

  await Promise.all([multisigned(), byRegularKey(), byTickets()])

  async function multisigned() {
    const info = await client.request({ command: 'account_info', account: company.address, signer_lists: true })
    assert.equal(info.result.signer_lists[0].SignerEntries.length, 3)
    const payment = await client.autofill(
      { TransactionType: 'Payment', Account: company.address, Destination: hot.address, Amount: '4242' },
      2,
    )
    assert.equal(payment.Fee, '36')
    const by = (...some) => xrpl.multisign(some.map((signer) => signer.sign(payment, true).tx_blob))
    const tooLight = await client.submit(by(signers[0]))
    assert.equal(tooLight.result.engine_result, 'tefBAD_QUORUM')
    const settled = await client.submitAndWait(by(signers[1], signers[0]))
    assert.equal(settled.result.meta.TransactionResult, 'tesSUCCESS')
    assert.equal(settled.result.tx_json.SigningPubKey, '')
    assert.equal(settled.result.tx_json.Signers.length, 2)
    const objects = await client.request({
      command: 'account_objects',
      account: company.address,
      type: 'signer_list',
      ledger_index: 'validated',
    })
    assert.equal(objects.result.account_objects[0].SignerQuorum, 3)
  }

  async function byRegularKey() {
    const payment = {
      TransactionType: 'Payment',
      Account: merchant.address,
      Destination: hot.address,
      Amount: '77',
    }
    const paid = await settle(client, payment, regular)
    assert.equal(paid.tx_json.SigningPubKey, regular.publicKey)
    const stranger = await client.submit(payment, { wallet: signers[2] })
    assert.equal(stranger.result.engine_result, 'tefBAD_AUTH')
  }

  async function byTickets() {
    const objects = await client.request({
      command: 'account_objects',
      account: hot.address,
      type: 'ticket',
      ledger_index: 'validated',
    })
    const tickets = objects.result.account_objects.map((ticket) => ticket.TicketSequence).sort((a, b) => b - a)
    assert.equal(tickets.length, 5)
    // The latest first: tickets need no order.
    const paid = await Promise.all(
      tickets.slice(0, 3).map((TicketSequence) =>
        settle(
          client,
          {
            TransactionType: 'Payment',
            Account: hot.address,
            Destination: merchant.address,
            Amount: '9',
            Sequence: 0,
            TicketSequence,
          },
          hot,
        ),
      ),
    )
    assert.ok(paid.every((each) => each.tx_json.Sequence === 0))
    const { result } = await client.request({ command: 'account_info', account: hot.address })
    assert.equal(result.account_data.TicketCount, 2)
    const again = await client.submit(
      { TransactionType: 'AccountSet', Account: hot.address, Sequence: 0, TicketSequence: tickets[0] },
      { wallet: hot },
    )
    assert.equal(again.result.engine_result, 'tefNO_TICKET')
  }
})
