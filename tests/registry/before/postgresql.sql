CREATE TABLE person ( id TEXT NOT NULL, subject TEXT NOT NULL, site TEXT NOT NULL, birth_date TEXT, sex TEXT, birth_sex TEXT, gender_identity JSONB, race JSONB, ethnicity TEXT, zip5 TEXT, language TEXT, deceased BOOLEAN, death_date TEXT, sequence BIGINT NOT NULL, event_time TIMESTAMP WITH TIME ZONE NOT NULL, load TEXT, software TEXT, flags JSONB, PRIMARY KEY (id) );

CREATE INDEX person_site_id ON person (site, id);

CREATE INDEX person_subject ON person (subject);

CREATE TABLE observation ( id TEXT NOT NULL, subject TEXT NOT NULL, site TEXT NOT NULL, code TEXT, codings JSONB, category JSONB, value NUMERIC, unit TEXT, raw_value TEXT, raw_unit TEXT, comparator TEXT, value_low NUMERIC, value_high NUMERIC, ratio_numerator NUMERIC, ratio_denominator NUMERIC, value_time TEXT, value_instant TIMESTAMP WITH TIME ZONE, value_date TEXT, reference_low NUMERIC, reference_high NUMERIC, reference_unit TEXT, value_code TEXT, value_codings JSONB, absent TEXT, interpretation TEXT, effective TIMESTAMP WITH TIME ZONE, effective_date TEXT, effective_end TIMESTAMP WITH TIME ZONE, effective_end_date TEXT, status TEXT, status_reasons JSONB, parent TEXT, parts JSONB, issued TIMESTAMP WITH TIME ZONE, issued_date TEXT, performer_kinds JSONB, specimen TEXT, method JSONB, body_sites JSONB, members JSONB, derived_from JSONB, encounter TEXT, replaces JSONB, reports JSONB, panels JSONB, sequence BIGINT NOT NULL, event_time TIMESTAMP WITH TIME ZONE NOT NULL, load TEXT, software TEXT, flags JSONB, PRIMARY KEY (id) );

CREATE INDEX observation_search ON observation (code, effective_date);

CREATE INDEX observation_site_id ON observation (site, id);

CREATE INDEX observation_subject ON observation (subject);

CREATE TABLE history ( record TEXT NOT NULL, epoch BIGINT NOT NULL, sequence BIGINT NOT NULL, event TEXT NOT NULL, op TEXT NOT NULL, time TIMESTAMP WITH TIME ZONE NOT NULL, site TEXT NOT NULL, type TEXT NOT NULL, value JSONB, PRIMARY KEY (record, epoch, sequence) );

CREATE TABLE load ( load TEXT NOT NULL, site TEXT NOT NULL, event TEXT NOT NULL, mode TEXT NOT NULL, started TIMESTAMP WITH TIME ZONE NOT NULL, ended TIMESTAMP WITH TIME ZONE, published BIGINT NOT NULL, types JSONB NOT NULL, watermarks JSONB NOT NULL, gaps JSONB NOT NULL, error TEXT, PRIMARY KEY (load) );

CREATE INDEX ix_load_site ON load (site);

INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value) VALUES ('r-6ac46bcdc75e5446970652a6c7155dc9', 1, 1, '691ea57e-0456-5614-a657-7223c0383412', 'recorded', '2026-11-02 06:01:00.000000+00', 'north', 'person', '{"record": {"id": "r-6ac46bcdc75e5446970652a6c7155dc9", "subject": "s-c2aa3ecac1f35e8ba2a963cd417c9a6e", "site": "north", "type": "person", "birth_date": "2016-05-20"}, "change": {"op": "recorded", "sequence": 1, "previous": 0, "digest": "00000000000000000000000000000000"}, "provenance": {"site": "north", "source": [], "load": "load-1", "mapping": "x@1", "software": "0.1.0"}}');

INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value) VALUES ('r-144f55bc60615bec955c53f7e8d6ef63', 1, 1, '0e4e2460-170c-513d-96cd-220158285f7c', 'recorded', '2026-11-02 06:01:00.000000+00', 'north', 'observation', '{"record": {"id": "r-144f55bc60615bec955c53f7e8d6ef63", "subject": "s-c2aa3ecac1f35e8ba2a963cd417c9a6e", "site": "north", "type": "observation", "code": "4548-4", "value": 7.1, "unit": "%", "effective_date": "2026-03-02"}, "change": {"op": "recorded", "sequence": 1, "previous": 0, "digest": "00000000000000000000000000000000"}, "provenance": {"site": "north", "source": [], "load": "load-1", "mapping": "x@1", "software": "0.1.0"}}');

INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value) VALUES ('r-144f55bc60615bec955c53f7e8d6ef63', 1, 2, 'fe4b5695-c696-560e-8a7d-f8c883deacf8', 'amended', '2026-11-02 06:02:00.000000+00', 'north', 'observation', '{"record": {"id": "r-144f55bc60615bec955c53f7e8d6ef63", "subject": "s-c2aa3ecac1f35e8ba2a963cd417c9a6e", "site": "north", "type": "observation", "code": "4548-4", "value": 7.4, "unit": "%", "effective_date": "2026-03-02"}, "change": {"op": "amended", "sequence": 2, "previous": 1, "digest": "00000000000000000000000000000000"}, "provenance": {"site": "north", "source": [], "load": "load-2", "mapping": "x@1", "software": "0.1.0"}}');

INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value) VALUES ('r-17b2ced239e056c4ab0de9218637d280', 1, 1, 'dd96513d-280a-5b5c-a317-5fed92c43b63', 'recorded', '2026-11-02 06:01:00.000000+00', 'north', 'observation', '{"record": {"id": "r-17b2ced239e056c4ab0de9218637d280", "subject": "s-c2aa3ecac1f35e8ba2a963cd417c9a6e", "site": "north", "type": "observation", "code": "4548-4", "value": 9.0, "unit": "%", "effective_date": "2026-03-02"}, "change": {"op": "recorded", "sequence": 1, "previous": 0, "digest": "00000000000000000000000000000000"}, "provenance": {"site": "north", "source": [], "load": "load-1", "mapping": "x@1", "software": "0.1.0"}}');

INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value) VALUES ('r-17b2ced239e056c4ab0de9218637d280', 1, 2, '3306ee43-ca18-512a-b416-4ed93536c628', 'withdrawn', '2026-11-02 06:02:00.000000+00', 'north', 'observation', NULL);

INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value) VALUES ('r-e8d181b4e83251f786d2498fd7d17055', 1, 1, '5c8d68f6-9e02-5a45-b42e-5b251237a183', 'recorded', '2026-11-02 06:01:00.000000+00', 'north', 'observation', '{"record": {"id": "r-e8d181b4e83251f786d2498fd7d17055", "subject": "s-c2aa3ecac1f35e8ba2a963cd417c9a6e", "site": "north", "type": "observation", "code": "4548-4", "value": 5.0, "unit": "%", "effective_date": "2026-03-02"}, "change": {"op": "recorded", "sequence": 1, "previous": 0, "digest": "00000000000000000000000000000000"}, "provenance": {"site": "north", "source": [], "load": "load-1", "mapping": "x@1", "software": "0.1.0"}}');

INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value) VALUES ('r-e8d181b4e83251f786d2498fd7d17055', 1, 2, '331848ab-cdb3-5bac-a6e2-1a0f0a997d84', 'withdrawn', '2026-11-02 06:02:00.000000+00', 'north', 'observation', NULL);

INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value) VALUES ('r-e8d181b4e83251f786d2498fd7d17055', 1, 3, '7ff33197-9263-52a4-9009-63633d25045c', 'amended', '2026-11-02 06:03:00.000000+00', 'north', 'observation', '{"record": {"id": "r-e8d181b4e83251f786d2498fd7d17055", "subject": "s-2ce2547c627b5e0ab73f1b300fc06c7e", "site": "north", "type": "observation", "code": "4548-4", "value": 5.0, "unit": "%", "effective_date": "2026-03-02"}, "change": {"op": "amended", "sequence": 3, "previous": 2, "digest": "00000000000000000000000000000000"}, "provenance": {"site": "north", "source": [], "load": "load-3", "mapping": "x@1", "software": "0.1.0"}}');

INSERT INTO person (id, subject, site, birth_date, race, sequence, event_time, load, software, flags) VALUES ('r-6ac46bcdc75e5446970652a6c7155dc9', 's-c2aa3ecac1f35e8ba2a963cd417c9a6e', 'north', '2016-05-20', '[]', 1, '2026-11-02 06:00:00.000000+00', 'load-1', '0.1.0', '[]');

INSERT INTO observation (id, subject, site, code, value, unit, effective_date, codings, sequence, event_time, load, software, flags) VALUES ('r-144f55bc60615bec955c53f7e8d6ef63', 's-c2aa3ecac1f35e8ba2a963cd417c9a6e', 'north', '4548-4', 7.4, '%', '2026-03-02', '[]', 2, '2026-11-02 06:00:00.000000+00', 'load-2', '0.1.0', '[]');

INSERT INTO observation (id, subject, site, code, value, unit, effective_date, codings, sequence, event_time, load, software, flags) VALUES ('r-e8d181b4e83251f786d2498fd7d17055', 's-2ce2547c627b5e0ab73f1b300fc06c7e', 'north', '4548-4', 5, '%', '2026-03-02', '[]', 3, '2026-11-02 06:00:00.000000+00', 'load-3', '0.1.0', '[]');
