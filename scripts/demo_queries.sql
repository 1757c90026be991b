-- SPDX-License-Identifier: Apache-2.0
--
-- demo_queries.sql - questions to the package index. Every answer has one order only.

.print -- 1. what there is
SELECT (SELECT count(*) FROM package), (SELECT count(*) FROM field),
	(SELECT count(*) FROM dependency), (SELECT count(*) FROM text),
	(SELECT count(*) FROM part);
.print -- 2. packages by section
SELECT section, count(*), sum(installed_kib) FROM package
	GROUP BY section ORDER BY count(*) DESC, section LIMIT 15;
.print -- 3. the biggest packages
SELECT name, version, installed_kib FROM package ORDER BY installed_kib DESC, id LIMIT 10;
.print -- 4. what most packages need
SELECT target, count(DISTINCT package) AS users FROM dependency WHERE kind = 'Depends'
	GROUP BY target ORDER BY users DESC, target LIMIT 12;
.print -- 5. needed, but no package has that name and none provides it
SELECT d.target, count(*) FROM dependency AS d
	LEFT JOIN package AS p ON p.name = d.target
	LEFT JOIN dependency AS v ON v.target = d.target AND v.kind = 'Provides'
	WHERE d.kind = 'Depends' AND p.id IS NULL AND v.package IS NULL
	GROUP BY d.target ORDER BY count(*) DESC, d.target LIMIT 10;
.print -- 6. two packages that name each other
SELECT count(*) FROM dependency AS a JOIN package AS p ON p.name = a.target
	JOIN dependency AS b ON b.package = p.id AND b.kind = 'Depends'
	JOIN package AS q ON q.id = a.package AND q.name = b.target
	WHERE a.kind = 'Depends';
.print -- 7. everything that sqlite3 needs, directly or not
WITH RECURSIVE need (name) AS (
	VALUES ('sqlite3')
	UNION
	SELECT dependency.target FROM need
		JOIN package ON package.name = need.name
		JOIN dependency ON dependency.package = package.id AND kind IN ('Depends', 'Pre-Depends'))
SELECT count(*), group_concat(name, ' ') FROM (SELECT name FROM need ORDER BY name);
.print -- 8. full text: virtual memory
SELECT name, description FROM text WHERE text MATCH 'virtual AND (memory OR machine)'
	ORDER BY rank, rowid LIMIT 8;
.print -- 9. full text: words that begin so
SELECT count(*) FROM text WHERE text MATCH 'compress* OR pag* OR swap*';
.print -- 10. full text by section
SELECT package.section, count(*) FROM text JOIN package ON package.id = text.rowid
	WHERE text MATCH 'python OR perl OR ruby' GROUP BY section ORDER BY count(*) DESC, section LIMIT 10;
.print -- 11. who maintains most bytes
SELECT maintainer, count(*), sum(size) AS bytes FROM package
	GROUP BY maintainer ORDER BY bytes DESC, maintainer LIMIT 10;
.print -- 12. the fields, and how long their values are
SELECT name, count(*), sum(length(value)), max(length(value)) FROM field
	GROUP BY name ORDER BY sum(length(value)) DESC, name LIMIT 20;
.print -- 13. the same homepage for the most packages
SELECT value, count(*) FROM field WHERE name = 'Homepage'
	GROUP BY value ORDER BY count(*) DESC, value LIMIT 8;
.print -- 14. full text: parts of words
SELECT name, description FROM part WHERE part MATCH '"pager" OR "mmap" OR "userfault"'
	ORDER BY rowid LIMIT 10;
.print -- 15. a sum over every byte that was loaded
SELECT sum(length(value) * (1 + package % 7)), sum(unicode(substr(value, 1 + package % 40, 1))) FROM field;
