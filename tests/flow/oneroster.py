"""Is a set of CSV files what OneRoster 1.2.1 calls a bulk file set? Written from the specification's tables, not from the product.

`findings(files)` takes {name: bytes} of a set and says what is wrong with it, one line each. Beside the base rules it knows those of
the Japanese K-12/Schools profile that need no codes of schools: which files there must be, the school year, the courses.
"""

import csv
import io
import re
import uuid

DATE = re.compile(r'\d{4}-\d\d-\d\d')
GRADE = re.compile(r'[PJH][1-6]|E[1-3]')
BOOLEAN = ('true', 'false')
FILES = ('academicSessions', 'categories', 'classes', 'classResources', 'courses', 'courseResources', 'demographics', 'enrollments',
         'lineItemLearningObjectiveIds', 'lineItems', 'lineItemScoreScales', 'orgs', 'resources', 'resultLearningObjectiveIds', 'results',
         'resultScoreScales', 'roles', 'scoreScales', 'userProfiles', 'userResources', 'users')
REQUIRED = ('academicSessions', 'orgs', 'courses', 'classes', 'users', 'enrollments', 'roles')

# name: (columns in their order, with `*` those that need a value; columns of the profile behind them)
COLUMNS = {
    'academicSessions': ('*sourcedId status dateLastModified *title *type *startDate *endDate parentSourcedId *schoolYear', ''),
    'orgs': ('*sourcedId status dateLastModified *name *type identifier parentSourcedId', ''),
    'courses': ('*sourcedId status dateLastModified schoolYearSourcedId *title courseCode grades *orgSourcedId subjects subjectCodes', ''),
    'classes': ('*sourcedId status dateLastModified *title grades *courseSourcedId classCode *classType location *schoolSourcedId'
                ' *termSourcedIds subjects subjectCodes periods', 'specialNeeds'),
    'users': ('*sourcedId status dateLastModified *enabledUser *username userIds *givenName *familyName middleName identifier email sms'
              ' phone agentSourcedIds grades password userMasterIdentifier preferredGivenName preferredMiddleName preferredFamilyName'
              ' primaryOrgSourcedId pronouns', 'kanaGivenName kanaFamilyName kanaMiddleName homeClass kanaPreferredFamilyName'
              ' kanaPreferredGivenName kanaPreferredMiddleName'),
    'roles': ('*sourcedId status dateLastModified *userSourcedId *roleType *role beginDate endDate *orgSourcedId userProfileSourcedId', ''),
    'enrollments': ('*sourcedId status dateLastModified *classSourcedId *schoolSourcedId *userSourcedId *role primary beginDate endDate',
                    'shussekiNo publicFlg'),
}
REFERENCES = (('courses', 'schoolYearSourcedId', 'academicSessions'), ('courses', 'orgSourcedId', 'orgs'), ('orgs', 'parentSourcedId', 'orgs'),
              ('classes', 'courseSourcedId', 'courses'), ('classes', 'schoolSourcedId', 'orgs'), ('classes', 'termSourcedIds', 'academicSessions'),
              ('roles', 'userSourcedId', 'users'), ('roles', 'orgSourcedId', 'orgs'), ('enrollments', 'classSourcedId', 'classes'),
              ('enrollments', 'schoolSourcedId', 'orgs'), ('enrollments', 'userSourcedId', 'users'))
VALUES = (('orgs', 'type', ('district', 'school')), ('classes', 'classType', ('homeroom', 'scheduled')), ('users', 'enabledUser', BOOLEAN),
          ('roles', 'roleType', ('primary', 'secondary')), ('enrollments', 'primary', BOOLEAN),
          ('roles', 'role', ('districtAdministrator', 'siteAdministrator', 'principal', 'teacher', 'student', 'guardian')),
          ('enrollments', 'role', ('administrator', 'proctor', 'student', 'teacher', 'guardian')),
          ('academicSessions', 'type', ('schoolYear',)), ('courses', 'courseCode', ('',)))


def header_of(name):
    standard, profile = COLUMNS[name]
    return [*(column.lstrip('*') for column in standard.split()), *(f'metadata.jp.{column}' for column in profile.split())]


def is_uuid(text):
    try:
        return str(uuid.UUID(text)) == text and uuid.UUID(text).variant == uuid.RFC_4122
    except ValueError:
        return False


def rows_of(data):
    return list(csv.reader(io.StringIO(data.decode(), newline='')))


def findings(files):
    found = list(manifest_findings(files))
    tables = {}
    for name in COLUMNS:
        if f'{name}.csv' in files:
            found += form_findings(name, files[f'{name}.csv'])
            header = header_of(name)
            tables[name] = [dict(zip(header, row)) for row in rows_of(files[f'{name}.csv'])[1:] if len(row) == len(header)]
    return found + [line for check in (cell_findings, reference_findings, profile_findings) for line in check(tables)]


def manifest_findings(files):
    rows = rows_of(files.get('manifest.csv', b''))
    names = ['propertyName', 'manifest.version', 'oneroster.version', *(f'file.{name}' for name in FILES), 'source.systemName',
             'source.systemCode']
    if [row[0] for row in rows] != names:
        yield 'manifest.csv: not the properties in their order'
        return
    said = dict(rows)
    if (said['propertyName'], said['manifest.version'], said['oneroster.version']) != ('value', '1.0', '1.2.1'):
        yield 'manifest.csv: versions'
    for name in FILES:
        if said[f'file.{name}'] != ('bulk' if f'{name}.csv' in files else 'absent'):
            yield f'manifest.csv: {name} is not {said[f"file.{name}"]}'
    yield from (f'{name}.csv is missing' for name in REQUIRED if f'{name}.csv' not in files)
    yield from (f'{name}: no file of OneRoster' for name in files if name.removesuffix('.csv') not in ('manifest', *FILES))


def form_findings(name, data):
    if data.startswith(b'\xef\xbb\xbf'):
        yield f'{name}: begins with a mark of byte order'
    if not data.endswith(b'\r\n'):
        yield f'{name}: the last line does not end'
    rows = rows_of(data)
    if rows[0] != header_of(name):
        yield f'{name}: header {rows[0]}'
    yield from (f'{name}:{n}: {len(row)} cells' for n, row in enumerate(rows, 1) if len(row) != len(rows[0]))


def cell_findings(tables):
    for name, rows in tables.items():
        needed = [column[1:] for column in COLUMNS[name][0].split() if column.startswith('*')]
        ids = [row['sourcedId'] for row in rows]
        yield from (f'{name}: sourcedId {text} twice' for text in set(ids) if ids.count(text) > 1)
        for row in rows:
            yield from (f'{name}: {row["sourcedId"]} has no {column}' for column in needed if not row[column])
            if not is_uuid(row['sourcedId']):
                yield f'{name}: {row["sourcedId"]} is no UUID'
            if row['status'] or row['dateLastModified']:
                yield f'{name}: {row["sourcedId"]} has what only a delta has'
            yield from (f'{name}: {column} {row[column]} is no date' for column in row
                        if column.endswith('Date') and row[column] and not DATE.fullmatch(row[column]))
            yield from (f'{name}: grade {grade}' for grade in row.get('grades', '').split(',') if grade and not GRADE.fullmatch(grade))
    for name, column, values in VALUES:
        yield from (f'{name}: {column} {row[column]!r}' for row in tables.get(name, ()) if row[column] not in values)


def reference_findings(tables):
    ids = {name: {row['sourcedId'] for row in rows} for name, rows in tables.items()}
    for name, column, of in REFERENCES:
        for row in tables.get(name, ()):
            yield from (f'{name}: {column} {text} is not in {of}' for text in row[column].split(',') if text and text not in ids.get(of, ()))


def profile_findings(tables):
    for row in tables.get('academicSessions', ()):
        year = int(row['schoolYear'])
        if (row['title'], row['startDate'], row['endDate']) != (f'{year}年度', f'{year}-04-01', f'{year + 1}-03-31'):
            yield f'academicSessions: {row}'
    kinds = {row['sourcedId']: row['type'] for row in tables.get('orgs', ())}
    for row in tables.get('orgs', ()):
        if (kinds.get(row['parentSourcedId']) if row['parentSourcedId'] else None) != ('district' if row['type'] == 'school' else None):
            yield f'orgs: {row["name"]} is not under the district'
    for row in tables.get('courses', ()):
        if not re.match(r'\d{4}年度.', row['title']) or bool(row['subjects']) != bool(row['subjectCodes']):
            yield f'courses: {row["title"]}'
    of = {row['sourcedId']: row['schoolSourcedId'] for row in tables.get('classes', ())}
    yield from (f'enrollments: {row["sourcedId"]} is in another school than its class' for row in tables.get('enrollments', ())
                if of.get(row['classSourcedId']) != row['schoolSourcedId'])
    yield from (f'enrollments: {row["sourcedId"]} is a student and primary' for row in tables.get('enrollments', ())
                if (row['role'], row['primary']) == ('student', 'true'))
    primaries = [row['userSourcedId'] for row in tables.get('roles', ()) if row['roleType'] == 'primary']
    yield from (f'users: {row["username"]} has {primaries.count(row["sourcedId"])} primary roles' for row in tables.get('users', ())
                if primaries.count(row['sourcedId']) != 1)
