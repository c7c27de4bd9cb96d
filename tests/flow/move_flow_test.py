"""A school moves: what one contract exports another takes in, and exports again as it was."""

import unittest

import base
import export_flow_test as exports
import import_flow_test as imports
from base import FlowTest

setUpModule = base.open_world

ADMINISTRATOR = 'hikkoshi'  # of the new contract, who is in no archive


def data_of(archive):
    """The lines of each type by their keys, without the new contract's own administrator."""
    found = exports.entries(archive)
    kinds = {kind: exports.lines_of(found, kind) for kind in exports.DATA}
    kinds['user'] = [row for row in kinds['user'] if row['username'] != ADMINISTRATOR]
    return kinds, {name: data for name, data in found if name.startswith('media/')}


class Move(FlowTest):
    def test_what_comes_out_again_is_what_went_in(self):
        old, made_try = exports.school('minato')
        lesson = old.lesson()
        lesson.teacher.put(f'/v1/units/{lesson.unit["id"]}/label', label='III')
        old.admin.put(f'/v1/classes/{lesson.class_id}/label', label='II')
        base.eventually(lambda: lesson.teacher.get(lesson.path).get('label') == 'II', 'the lessons of the class have followed')
        old.admin.post('/v1/announcements', title='会議', body='職員だけ', audience='everyone', label='II')
        exports.begin(old.admin)
        archive = exports.fetch(old.admin, exports.made(old.admin)).body
        new = imports.empty('atarashii')
        path = imports.send(new, archive)
        report = imports.check(new, path, verifierKey=old.admin.get('/v1/audit/log/key')['keys'][0])
        self.assertEqual((report['state'], report['faults'], report['signature']), ('checked', [], 'valid'))
        self.assertEqual(imports.apply(new, path)['state'], 'applied')
        exports.begin(new)
        again = exports.fetch(new, exports.made(new)).body
        (lines, videos), (lines_before, videos_before) = data_of(again), data_of(archive)
        self.assertEqual([row.get('label') for row in lines['class']], ['II'])
        for kind in exports.DATA:
            self.assertEqual(lines[kind], lines_before[kind], kind)
        self.assertTrue(videos == videos_before, 'videos are the same bytes')

        pupil = base.world.client()
        base.world.arrive(pupil, 'atarashii', 'jido1', imports.secrets(new)['jido1'], is_staff=False)
        path = f'/v1/tries/{made_try["id"]}'
        base.eventually(lambda: pupil.get(path)['try'].get('label') == 'II', 'what was made in the class is as the class was raised')
        [comment] = base.eventually(lambda: pupil.get(path + '/comments')['items'], 'the comment is there')
        self.assertEqual((comment['positionMs'], comment['text']), (1500, 'きれい,"とても"\nよい'))

    def test_a_flipped_bit_of_the_list_is_named(self):
        old, new = base.world.tenant('tonari'), imports.empty('koware')
        exports.begin(old.admin)
        archive = exports.fetch(old.admin, exports.made(old.admin)).body
        at = archive.index(b' data/org.jsonl\n') - 3
        path = imports.send(new, archive[:at] + bytes([archive[at] ^ 1]) + archive[at + 1:])
        report = imports.check(new, path)
        self.assertEqual((report['state'], [(row['code'], row['entry']) for row in report['faults']]),
                         ('refused', [('changed', 'files')]))


if __name__ == '__main__':
    unittest.main()
