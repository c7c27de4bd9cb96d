// The same read as GET /v1/skills, as one would write it with fastify and pg: the same statement on
// the same PostgreSQL under the same row security. It checks no session: that favours this side.
import cluster from 'node:cluster';
import { createHmac } from 'node:crypto';
import { availableParallelism } from 'node:os';
import Fastify from 'fastify';
import pg from 'pg';

const { SOCKET, DATABASE_HOST, TENANT, MAC_KEY } = process.env;

const SKILL_LIST = `SELECT s.id, s.name, s.area, s.curriculum_code AS "curriculumCode", s.points, s.position
	FROM learning.skill s
	WHERE $2::uuid IS NULL OR ((array_position('{mat,vault,bar,swimming,other}', s.area) || '/'
		|| lpad(s.position::text, 5, '0')) COLLATE "C", s.id) > ($1, $2::uuid)
	ORDER BY (array_position('{mat,vault,bar,swimming,other}', s.area) || '/'
		|| lpad(s.position::text, 5, '0')) COLLATE "C", s.id LIMIT $3::integer`;

// What PostgreSQL wants to see before it shows a tenant's rows; made anew every half minute.
let claim = '';
let claimUntil = 0;
function tenantClaim() {
	const now = Math.floor(Date.now() / 1000);
	if (now >= claimUntil) {
		const text = `${TENANT}.${now + 60}`;
		claim = `${text}.${createHmac('sha256', Buffer.from(MAC_KEY, 'hex')).update(text).digest('hex')}`;
		claimUntil = now + 30;
	}
	return claim;
}

const skill = {
	type: 'object',
	properties: {
		id: { type: 'string' }, name: { type: 'string' }, area: { type: 'string' },
		curriculumCode: { type: 'string' }, points: { type: 'string' }, position: { type: 'integer' },
	},
};
const schema = {
	response: { 200: { type: 'object', properties: { items: { type: 'array', items: skill } } } },
};

async function listSkills(pool) {
	const client = await pool.connect();
	try {
		// pg sends these one after the other without waiting for our code in between.
		const [, , found] = await Promise.all([
			client.query('BEGIN'),
			client.query({ name: 'enter', text: "SELECT set_config('app.tenant', $1, true)", values: [tenantClaim()] }),
			client.query({ name: 'list', text: SKILL_LIST, values: [null, null, 51] }),
			client.query('COMMIT'),
		]);
		return { items: found.rows };
	} finally {
		client.release();
	}
}

if (cluster.isPrimary) {
	for (let i = 0; i < availableParallelism(); i++) cluster.fork();
} else {
	const pool = new pg.Pool({ host: DATABASE_HOST, user: 'manabiya_learning', database: 'manabiya', max: 8 });
	const app = Fastify();
	app.get('/v1/skills', { schema }, () => listSkills(pool));
	await app.listen({ path: SOCKET });
}
