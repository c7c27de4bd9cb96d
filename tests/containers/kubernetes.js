// Checks objects of Kubernetes against its own schemas, without a cluster. Standard input: a JSON array of them.
// The schemas know values; a member with a wrong name, which a cluster would drop with a mere warning, the types find.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const objects = JSON.parse(readFileSync(0, 'utf8'))

/** As TypeScript: a literal is checked for members that its type does not have. */
function asLiteral(object, i) {
  const { apiVersion, kind } = object
  return `import type { I${kind} as Type${i} } from 'kubernetes-models/${apiVersion}'\nexport const object${i}: Type${i} = ${JSON.stringify(object, null, 1)}\n`
}

for (const object of objects) {
  const models = await import(`kubernetes-models/${object.apiVersion}`)
  try {
    new models[object.kind](object).validate()
  } catch (error) {
    console.log(`${object.kind} ${object.metadata.name}: ${error.message}`)
    process.exitCode = 1
  }
}
const literals = `${here}node_modules/.objects.ts`
writeFileSync(literals, objects.map(asLiteral).join(''))
const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022']
try {
  execFileSync(`${here}node_modules/.bin/tsc`, [...options, literals], { stdio: 'inherit' })
} catch {
  process.exitCode = 1
}
