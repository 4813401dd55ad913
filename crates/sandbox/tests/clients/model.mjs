// What the scripts of xrpl.js share: the library as it was installed, a connected client, accounts with
// money, and the closing line that tells the test that a script came to its end.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'

const require = createRequire(`${process.env.XRPAYD_TEST_CLIENTS}/`)
export const xrpl = require('xrpl')
export { assert }

/** The account that owns everything at first; its seed is the one of every standalone server. */
export const genesis = xrpl.Wallet.fromSeed('snoPBrXtMeMyMHUVTgbuqAfg1SUTb', {
  algorithm: xrpl.ECDSA.secp256k1,
})

/** A client of the server that this process was started with. */
export async function connect() {
  const client = new xrpl.Client(`ws://${process.argv[2]}`)
  await client.connect()
  return client
}

/** Submits, waits until it is validated, and expects this result. */
export async function settle(client, transaction, wallet, result = 'tesSUCCESS') {
  const answer = await client.submitAndWait(transaction, { wallet })
  assert.equal(answer.result.validated, true)
  assert.equal(answer.result.meta.TransactionResult, result, JSON.stringify(answer.result))
  return answer.result
}

/** So many new accounts with 1000 XRP each. */
export async function accounts(client, count) {
  const wallets = Array.from({ length: count }, () => xrpl.Wallet.generate())
  const { Sequence } = await client.autofill({ TransactionType: 'AccountSet', Account: genesis.address })
  await Promise.all(
    wallets.map((wallet, n) =>
      settle(
        client,
        {
          TransactionType: 'Payment',
          Account: genesis.address,
          Destination: wallet.address,
          Amount: xrpl.xrpToDrops(1000),
          Sequence: Sequence + n,
        },
        genesis,
      ),
    ),
  )
  return wallets
}

/** Runs a script; whatever it throws ends the process without the closing line. */
export async function run(script) {
  const client = await connect()
  await script(client)
  await client.disconnect()
  console.log('every assertion held')
}
