-- SPDX-License-Identifier: Apache-2.0
--
-- demo_load.sql - the whole package index in memory: tables, indexes, and two full-text
-- tables: by words, and by any three letters.
-- Run in the folder of the *.tsv files that demo_index.py writes.

CREATE TABLE package (
	id INTEGER PRIMARY KEY, name TEXT, version TEXT, architecture TEXT, section TEXT,
	priority TEXT, maintainer TEXT, source TEXT, installed_kib INTEGER, size INTEGER,
	description TEXT);
CREATE TABLE field (package INTEGER, name TEXT, value TEXT);
CREATE TABLE dependency (package INTEGER, kind TEXT, number INTEGER, target TEXT, version TEXT);
.mode tabs
.import package.tsv package
.import field.tsv field
.import dependency.tsv dependency
UPDATE package SET installed_kib = NULL WHERE installed_kib = '';
UPDATE package SET size = NULL WHERE size = '';
CREATE INDEX package_name ON package (name);
CREATE INDEX package_section ON package (section, installed_kib);
CREATE INDEX package_maintainer ON package (maintainer);
CREATE INDEX field_package ON field (package, name);
CREATE INDEX field_value ON field (name, value);
CREATE INDEX dependency_package ON dependency (package, kind);
CREATE INDEX dependency_target ON dependency (target, kind, package);
CREATE VIRTUAL TABLE text USING fts5 (name, description, tags, prefix = '2 3');
INSERT INTO text (rowid, name, description, tags)
	SELECT package.id, package.name, package.description, coalesce(field.value, '')
	FROM package LEFT JOIN field ON field.package = package.id AND field.name = 'Tag';
CREATE VIRTUAL TABLE part USING fts5 (name, description, homepage, tokenize = 'trigram');
INSERT INTO part (rowid, name, description, homepage)
	SELECT package.id, package.name, package.description, coalesce(field.value, '')
	FROM package LEFT JOIN field ON field.package = package.id AND field.name = 'Homepage';
ANALYZE;
