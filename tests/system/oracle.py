"""What must come out: a second implementation with dict, and nothing of the product."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from meaning import NOTES, Meaning, Refused, Row, Said, Statement, content_of, inferred, read, tables_of
from oracle_files import EMPTY_COUNTS, File, fault_of_correction, file_in, settle_rejects

CHANGES = {"inserted": "insert", "updated": "update"}


class Oracle:
    """One dataset, file after file, and the decisions about them."""

    def __init__(self, key: tuple[str, ...], columns: dict[str, tuple[str, bool]], **more: Any) -> None:
        self.meaning = Meaning(key, columns, **more)
        self.files: list[File] = []
        self.versions: dict[str, list[tuple[str, Row]]] = {}
        self.said: dict[str, Said] = {}
        """The newest that was said of each record, also where it was nothing new."""
        self.authors: dict[str, File] = {}
        """Key -> the file that its newest version is from."""
        self.spoken: dict[Any, Any] = {}
        """Scope -> order of the newest snapshot that spoke for all of it."""
        self.twin: Any = None

    # --- what happens

    def take(self, content: bytes | dict[str, bytes] | None, name: str = "", file_id: str = "") -> None:
        """The next file in the order of arrival, its name below the dataset; None is one whose object is gone.

        A delivery has the name of its marker, and the contents of its files by their names.
        """
        named = content if isinstance(content, dict) else {name: content}
        parts = tuple(named[part] for part in sorted(named, key=str.encode))
        file = file_in(self.files, File(name, parts, file_id, self.meaning))
        self.files.append(file)
        self._go_on()

    def remove(self, name: str, file_id: str = "") -> None:
        """The object of this name was removed, which arrives as a file does."""
        removed = next(file for file in self.files if file.name == name)
        self.files.append(File("", (), file_id, self.meaning, removes=removed))
        self._go_on()

    def retry(self, arrival: int) -> None:
        """The file of this arrival again, as it is declared now; a retry is never skipped."""
        file = self.files[arrival - 1]
        file.state, file.meaning, file.is_retry = "REGISTERED", self.meaning, True
        self._go_on()

    def release(self, arrival: int, renames: dict[str, str] | None = None, accept_columns: bool = False) -> None:
        """A person decides that the file is right, and what the declaration is to say from now on."""
        file = self.files[arrival - 1]
        self.meaning = replace(self.meaning, aliases=self.meaning.aliases | (renames or {}))
        if accept_columns:
            self._accept_columns(file)
        self._release(file)
        self._go_on()

    def refuse(self, arrival: int) -> None:
        """A person decides that the file is wrong."""
        self.files[arrival - 1].state = "REFUSED"
        self._go_on()

    # --- what is to be seen

    @property
    def columns(self) -> dict[str, tuple[str, bool]]:
        return self.meaning.columns

    @property
    def states(self) -> list[str]:
        return [file.state for file in self.files]

    @property
    def counts(self) -> list[dict[str, int]]:
        return [file.counts for file in self.files]

    @property
    def current(self) -> dict[str, Row]:
        """Key -> the newest row with `_version`, of all records that are there."""
        return {key: self.versions[key][-1][1] | {"_version": len(self.versions[key])} for key in self._alive()}

    # --- how it comes about

    def _alive(self) -> list[str]:
        return [key for key, history in self.versions.items() if history[-1][0] != "delete"]

    def _go_on(self) -> None:
        """Take whatever can be taken, in the order of arrival, up to a file that others wait for."""
        for file in self.files:
            while file.state == "REGISTERED":
                file.counts, file.codes = EMPTY_COUNTS.copy(), ()
                try:
                    file.state, *codes = self._attempt(file)
                except Refused:
                    file.state, codes = "FAILED", []
                file.codes = tuple(codes)
            if file.blocks:
                return

    def _attempt(self, file: File) -> tuple[str, ...]:
        """State and codes after the file's next try; it takes effect where it is LOADED."""
        if file.removes:
            return self._end_records(file)
        if ended := self._judge_moment(file):
            return ended
        twin = (file.parts, file.meaning, file.order, file.scope, file.corrects)
        if twin == self.twin and not file.meaning.is_by_line and not file.is_retry:
            return ("SKIPPED",)
        if ended := self._judge_columns(file):
            return ended
        statement = read(file.parts, file.meaning, file.word_of.name, file.file_id, bool(file.corrects))
        kept = self._without_repeats(statement, file)
        file.counts |= {"read": statement.read, "rejected": len(statement.rejected)}
        live, gone = self._absent(statement, file)
        file.counts["deleted"] = len(gone)
        codes = set(self._guard(statement, file, len(live)))
        if codes - file.accepted:
            return ("HELD", *sorted(codes))
        self._take_effect(file, kept, gone)
        settle_rejects(file, statement)
        if file.is_snapshot and file.order and not statement.is_keyless:
            scopes = self._scopes(statement, file)
            self.spoken |= {scope: max(file.order, self.spoken.get(scope, file.order)) for scope in scopes}
        self.twin = twin
        return ("LOADED",)

    def _end_records(self, file: File) -> tuple[str, ...]:
        """A removed object takes with it the records that are there as its file said them last."""
        live = self._alive()
        gone = [key for key in live if self.authors[key] is file.removes]
        file.counts["deleted"] = len(gone)
        codes = set(self._guard(Statement(), file, len(live)))
        if codes - file.accepted:
            return ("HELD", *sorted(codes))
        self._take_effect(file, [], gone)
        self.twin = None
        return ("LOADED",)

    def _judge_moment(self, file: File) -> tuple[str, ...]:
        """State and codes of a file that comes too late, or corrects what cannot be corrected."""
        if file.corrects and (code := fault_of_correction(file, self.files)):
            return ("REFUSED", code)
        if file.meaning.order_name and file.order is None:
            raise Refused(file.name)
        if file.is_late and file.meaning.when_late == "refuse":
            return ("REFUSED", "late")
        is_held = file.is_late and file.meaning.when_late == "hold" and "late" not in file.accepted
        return ("HELD", "late") if is_held else ()

    def _judge_columns(self, file: File) -> tuple[str, ...]:
        """State and codes of a file whose columns are not the declared ones; nothing where it is read all the same."""
        headers = [set(header) for header, _ in tables_of(file.parts, file.meaning)]
        added = set().union(*headers) - set(file.meaning.columns) - (NOTES if file.corrects else set())
        missing = set(file.meaning.columns) - set.intersection(*headers) - file.meaning.optional
        if added and file.meaning.other_columns == "reject":
            return ("REFUSED", "columns_added")
        codes = ["columns_added"] if added and file.meaning.other_columns != "ignore" else []
        codes += ["columns_missing"] if missing else []
        if codes == ["columns_added"] and file.meaning.other_columns == "accept":
            self._accept_columns(file)
            self._release(file)
            return ("REGISTERED",)
        return ("HELD", *codes) if set(codes) - file.accepted else ()

    def _accept_columns(self, file: File) -> None:
        """Columns that are new in the file are declared; those it lacks may be absent."""
        tables = tables_of(file.parts, self.meaning)
        texts: dict[str, list[str]] = {name: [] for header, _ in tables for name in header}
        for header, lines in tables:
            for name, text in [field for _, line in lines for field in zip(header, line, strict=False)]:
                texts[name].append(text)
        known = {*self.columns, *(NOTES if file.corrects else ())}
        added = {name: (inferred(texts[name]), False) for name in texts if name not in known}
        lacking = set(self.columns) - set.intersection(*[set(header) for header, _ in tables])
        optional = self.meaning.optional | (lacking - self.meaning.needed)
        self.meaning = replace(self.meaning, columns=self.columns | added, optional=optional)

    def _release(self, file: File) -> None:
        """It is taken next; it and all that wait behind it are read as it is declared now."""
        file.state = "REGISTERED"
        file.accepted |= set(file.codes)
        for each in self.files[self.files.index(file) :]:
            if each.state == "REGISTERED":
                each.meaning = self.meaning

    def _without_repeats(self, statement: Statement, file: File) -> list[Said]:
        """One row of each record: the newest; where those contradict each other, as it is declared."""
        by_key: dict[str, list[Said]] = {}
        for each in statement.said:
            by_key.setdefault(each.key, []).append(each)
        kept = []
        for same in by_key.values():
            orders = [each.order for each in same if each.order is not None]
            newest = [each for each in same if not orders or each.order == max(orders)]
            file.counts["stale"] += len(same) - len(newest)
            if file.meaning.duplicates == "reject" and len({content_of(each.row) for each in newest}) > 1:
                statement.rejected |= {each.line: each.key for each in newest}
            else:
                kept.append(newest[-1 if file.meaning.duplicates == "last" else 0])
                file.counts["duplicate"] += len(newest) - 1
        return kept

    def _scopes(self, statement: Statement, file: File) -> set[Any]:
        """The parts of the dataset that a snapshot speaks for."""
        return {each.scope for each in statement.said} if file.meaning.partition_column else {file.scope}

    def _absent(self, statement: Statement, file: File) -> tuple[list[str], list[str]]:
        """Records that the file speaks for, and those of them that it says are gone."""
        if not file.is_snapshot or statement.is_keyless:
            return [], []
        scopes = self._scopes(statement, file)
        live = [key for key in self._alive() if None in scopes or self.said[key].scope in scopes]
        newer = {key for key in live if file.order and self.said[key].order and self.said[key].order > file.order}
        return live, [key for key in live if key not in statement.present | newer]

    def _guard(self, statement: Statement, file: File, live: int) -> Iterable[str]:
        """Why the file may not take effect before a person has looked at it."""
        meaning, counts = file.meaning, file.counts
        if live >= meaning.min_rows and counts["deleted"] > meaning.max_delete_share * live:
            yield "delete_share"
        if file.is_snapshot and statement.is_keyless:
            yield "keyless_rejects"
        if counts["read"] >= meaning.min_rows and counts["rejected"] > meaning.max_reject_share * counts["read"]:
            yield "reject_share"

    def _take_effect(self, file: File, kept: Iterable[Said], gone: Iterable[str]) -> None:
        file.position = 1 + max(each.position for each in self.files)
        for each in kept:
            outcome = self._outcome(each, file)
            file.counts[outcome] += 1
            if outcome in CHANGES:
                self._add_version(each.key, CHANGES[outcome], each.row, file)
            if outcome != "stale":
                self.said[each.key] = each
        for key in gone:
            self._add_version(key, "delete", {}, file)
            if not file.removes:
                self.said[key] = replace(self.said[key], order=file.order)

    def _is_newer(self, key: str, file: File) -> bool:
        """Whether the record's newest version was said after the file; a correction's when its file was."""
        return self.authors[key].word_of.position > file.position

    def _add_version(self, key: str, change: str, row: Row, file: File) -> None:
        self.versions.setdefault(key, []).append((change, row))
        self.authors[key] = file

    def _outcome(self, said: Said, file: File) -> str:
        """What becomes of a row, by what is known of its record."""
        before = self.said.get(said.key)
        change, row = self.versions[said.key][-1] if before else ("delete", {})
        known = [before.order] if before else []
        known += [self.spoken.get(said.scope)] if change == "delete" else []
        if said.order is not None and any(order is not None and said.order < order for order in known):
            return "stale"
        if before and file.original and said.order is None and self._is_newer(said.key, file.original):
            return "stale"
        if change == "delete":
            return "inserted"
        return "unchanged" if content_of(row) == content_of(said.row) else "updated"
