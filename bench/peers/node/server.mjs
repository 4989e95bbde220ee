// server.mjs TOKENS-FILE: what a Node team does. GET /verify?user=U&code=C checks the code with otplib (window of one
// step either way) and answers 200 or 403. A code is remembered as used in this process alone; nothing is durable.
// Listens on a free port of the loopback interface and prints it.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import otplib from 'otplib'

const { authenticator } = otplib
authenticator.options = { window: 1 }

const secrets = new Map()
for (const line of readFileSync(process.argv[2], 'utf8').split('\n')) {
  const [user, , base32] = line.split(' ')
  if (base32) secrets.set(user, base32)
}

// The load sends each code many times, since a minute has only two: remembering is part of the work, refusing would end
// the measurement. So the second use is counted, and answered like the first.
const used = new Set()
let again = 0

const server = createServer((request, response) => {
  const query = new URLSearchParams(request.url.slice(request.url.indexOf('?') + 1))
  const user = query.get('user')
  const secret = secrets.get(user)
  const delta = secret ? authenticator.checkDelta(query.get('code') ?? '', secret) : null
  if (delta !== null) {
    const key = `${user}:${Math.floor(Date.now() / 30000) + delta}`
    if (used.has(key)) again++
    else used.add(key)
    if (used.size > 1000000) used.clear()
  }
  response.statusCode = delta === null ? 403 : 200
  response.end()
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.on('SIGTERM', () => process.exit(0))
