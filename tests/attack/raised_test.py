"""Objects that were raised above their type, in docs/access-matrix.md cell by cell, and who may raise and lower them.

Every operation is really made, with ids of things that are there: whatever it says otherwise, only the refusals that the
class brings are looked at.
"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'flow'))
import base  # noqa: E402
import isolation_test  # noqa: E402
from base import FlowTest  # noqa: E402

sys.path.insert(0, str(base.ROOT / 'tools'))
import access_matrix  # noqa: E402
from access_test import STALE_S, lose_factor, operation_of, probe as refusal, stay_fresh  # noqa: E402

BARS = ('second_factor_required', 'step_up_required', 'not_found')
REASON = 'consent_given'


def setUpModule():
    base.open_world(base.armed_stack)
    isolation_test.open_sides()
    global here, there, classmate, own
    here, there = isolation_test.here, isolation_test.there
    classmate = here.tenant.enter('jido2')
    told = base.world.operator.post('/v1/announcements', title='点検', body='あした', audience='contractor')['id']
    user_id = here.tenant.user_id('jido3')  # nobody's session: it is suspended and more
    own = {'operator': {'announcementId': told},
           'contractor': {'announcementId': here.ids['announcementId'], 'userId': user_id, 'enrollmentId': place_of(user_id),
                          'classId': spare_class(here.admin)},
           'instructor': {'mediaId': here.tenant.lesson().model, 'classId': here.tenant.lesson().class_id}, 'student': {'mediaId': here.ids['mediaId']}}
    # What is held for a legal reason is asked for like everything, and not erased.
    base.world.stack.sql("UPDATE provisioning.contract SET hold_since = now(), hold_reason = '保全'")
    stay_fresh()


def place_of(user_id):
    enrolled = here.admin.get(f'/v1/classes/{here.ids["classId"]}/enrollments')['items']
    return next(row['id'] for row in enrolled if row['userId'] == user_id)


def spare_class(client):
    return client.post('/v1/classes', title='予備', orgId=here.ids['orgId'])['id']


def staff():
    return (('operator', base.world.operator), ('contractor', here.admin), ('instructor', here.teacher))


def raise_all(label):
    """What can be raised of this side, and every announcement; what an operation writes of a class is the same class again."""
    mine = own['contractor']
    base.world.stack.sql(f"""
        UPDATE learning.try SET label = '{label}', label_by = 'instructor' WHERE id = '{here.ids['tryId']}';
        UPDATE learning.unit SET label = '{label}' WHERE id = '{here.ids['unitId']}';
        UPDATE notification.announcement SET label = '{label}';
        UPDATE provisioning.person SET label = '{label}' WHERE id = '{mine['userId']}';
        UPDATE provisioning.class SET label = '{label}' WHERE id IN ('{mine['classId']}', '{own['instructor']['classId']}')""")
    here.ids['label'] = label


def probe(row, client, role):
    """What the class of the object did to this operation: one of BARS, or ''."""
    here.ids.update(own[role])
    answer = operation_of(row).call(client, None, None, None)
    if row.name == 'enrollment_delete' and answer.status == 204:  # the next one needs it
        place = f'/v1/classes/{here.tenant.lesson().class_id}/enrollments'
        own[role]['enrollmentId'] = client.post(place, userId=own[role]['userId'])['id']
    if row.name == 'class_delete' and answer.status == 204:
        own[role]['classId'] = spare_class(client)
        raise_all(here.ids['label'])
    if not answer.body:  # HEAD
        return {403: 'second_factor_required', 404: 'not_found'}.get(answer.status, '')
    code = answer.json['code'] if answer.status >= 400 else ''
    return code if code in BARS else ''


class Raised(FlowTest):
    """The tests run in the order of their names: each takes something away from the sessions."""

    def sweep(self, role, client, expected):
        for label in access_matrix.RAISED:
            raise_all(label)
            for row in access_matrix.raised_rows():
                cell = row.raised_cell(role, label)
                if cell != '–' and not (row.name == 'media_head' and 'p' in cell):  # its refusal has no words
                    with self.subTest(operation=row.name, role=role, label=label):
                        self.assertEqual(probe(row, client, role), expected(cell))

    def test_1_two_factors_and_a_fresh_password(self):
        for role, client in staff():
            self.sweep(role, client, lambda cell: '')
        self.sweep('student', here.pupil, lambda cell: 'not_found' if cell == 'hidden' else '')

    def test_2_classmates(self):
        self.sweep('student', classmate, lambda cell: 'not_found')

    def test_3_a_password_that_was_proven_a_while_ago(self):
        base.world.stack.sql("UPDATE auth.session SET authenticated_at = now() - interval '6 minutes'")
        raise_all('I')
        enrol = next(row for row in access_matrix.rows() if row.name == 'second_factor_enrol')
        base.eventually(lambda: here.pupil.send('GET', f'/v1/tries/{here.ids["tryId"]}').status == 403, 'the session is stale', STALE_S)
        for role, client in staff():
            base.eventually(lambda: refusal(enrol, client) == 'step_up_required', f'the session of the {role} is stale', STALE_S)
            self.sweep(role, client, lambda cell: 'step_up_required' if 'p' in cell else '')
        self.sweep('student', here.pupil, lambda cell: {'hidden': 'not_found', 'own p': 'step_up_required'}.get(cell, ''))

    def test_4_one_factor(self):
        for client in (here.pupil, *(client for _, client in staff())):
            client.step_up()
        stay_fresh()
        for role, client in staff():
            lose_factor(client)
            self.sweep(role, client, lambda cell: 'second_factor_required')

    def test_4_one_factor_and_the_school_class_alone(self):
        """Nothing else was raised: the assignment and the try of that class are shut with it."""
        ids, class_id, run = here.ids, own['instructor']['classId'], base.world.stack.sql
        run(f"""
            UPDATE learning.try SET label = NULL, label_by = NULL WHERE id = '{ids['tryId']}';
            UPDATE learning.unit SET label = NULL WHERE id = '{ids['unitId']}';
            UPDATE learning.class SET label = 'II' WHERE id = '{class_id}'""")
        found = [row for row in access_matrix.raised_rows() if row.object in ('assignment', 'try') and 'instructor' in row.allow]
        self.assertEqual({row.object for row in found}, {'assignment', 'try'})
        for row in found:
            with self.subTest(operation=row.name):
                self.assertEqual(probe(row, here.teacher, 'instructor'), 'second_factor_required')
        run(f"UPDATE learning.class SET label = NULL WHERE id = '{class_id}'")

    def test_5_who_may_not_raise_or_lower(self):
        """One factor, a classmate, another tenant, a role that teaches nobody; a pupil against the teacher; without a reason."""
        raise_all('II')
        path = f'/v1/tries/{here.ids["tryId"]}/label'
        unit = f'/v1/units/{here.ids["unitId"]}/label'
        for client, status in ((here.teacher, 403), (classmate, 404), (there.teacher, 404), (there.pupil, 404), (here.admin, 403),
                               (base.world.operator, 403), (base.world.client(), 401)):
            for label in ('I', 'II', 'III'):
                self.assertRefused(status, lambda: client.put(path, label=label, reason=REASON))
        told = f'/v1/announcements/{here.ids["announcementId"]}/label'
        for client, status in ((here.admin, 403), (here.teacher, 403), (there.admin, 404), (base.world.client(), 401)):
            self.assertRefused(status, lambda: client.put(told, label='IV', reason=REASON))
        for client, status in ((here.teacher, 403), (here.pupil, 403), (there.teacher, 404)):
            self.assertRefused(status, lambda: client.put(unit, label='IV', reason=REASON))
        user = f'/v1/users/{own["contractor"]["userId"]}/label'
        for client, status in ((here.admin, 403), (here.teacher, 403), (here.pupil, 403), (classmate, 403), (there.admin, 404),
                               (base.world.operator, 403), (base.world.client(), 401)):
            self.assertRefused(status, lambda: client.put(user, label='III', reason=REASON))
        of_class = f'/v1/classes/{own["instructor"]["classId"]}/label'
        for client, status in ((here.admin, 403), (here.teacher, 403), (here.pupil, 403), (there.admin, 404), (base.world.client(), 401)):
            self.assertRefused(status, lambda: client.put(of_class, label='IV', reason=REASON))
        self.assertRefused(403, lambda: here.pupil.put(path, label='III', reason=REASON), 'label_raised_by_teacher')
        here.teacher.enrol()
        here.admin.enrol()
        self.assertRefused(422, lambda: here.teacher.put(path, label='III'), 'label_reason_required')
        self.assertRefused(422, lambda: here.teacher.put(unit, label='III'), 'label_reason_required')
        self.assertRefused(422, lambda: here.teacher.put(path, label='III', reason='because'))
        self.assertRefused(422, lambda: here.admin.put(told, label='IV'), 'label_reason_required')
        self.assertRefused(422, lambda: here.admin.put(user, label='III'), 'label_reason_required')
        self.assertRefused(422, lambda: here.admin.put(of_class, label='III'), 'label_reason_required')
        self.assertRefused(422, lambda: here.teacher.put(path, label='IV', reason=REASON))
        found = base.world.stack.sql(f"SELECT label FROM learning.try WHERE id = '{here.ids['tryId']}'")
        self.assertEqual(found, 'II')
        self.assertEqual(here.teacher.put(path, label='III', reason=REASON), {})
        self.assertEqual(here.teacher.put(unit, label='IV', reason=REASON), {})
        self.assertEqual(here.admin.put(user, label='III', reason=REASON), {})
        self.assertEqual(here.admin.put(of_class, label='IV', reason=REASON), {})

    def test_6_the_own_account_stays_open(self):
        """Whatever the class and however long ago the password was proven: of class I, all else of the pupil's wants it anew."""
        base.world.stack.sql("UPDATE auth.session SET authenticated_at = now() - interval '6 minutes'")
        base.world.stack.sql("UPDATE provisioning.person SET label = 'I' WHERE role = 'student'")
        for path in ('/v1/self', '/v1/home', '/v1/session'):
            self.assertEqual(here.pupil.send('GET', path).status, 200)

    def test_7_refused_attempts_are_in_the_log(self):
        base.eventually(lambda: base.events(here.admin, objectId=here.ids['tryId'], label='II', operation='learning.try_label_put'),
                        'the log has attempts on what is of class II')


if __name__ == '__main__':
    unittest.main()
