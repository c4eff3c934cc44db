"""A workspace: the folder with datasets and runs that the pages and the command line show too."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path

import pandas as pd

from core import holdings, jobs, pipeline
from core.data.features.embeddings import CHOICES
from core.data.files.dialects import ReadAs
from core.data.ingest.ingest import ingest
from core.data.limits import writing
from core.data.quality.cleaning import clean
from core.data.refs import checked_name
from core.data.store import Workspace as Folders
from core.errors import BadInput
from core.report import files
from core.report.collect import collect
from core.runs import artifact
from core.runs.request import RunRequest
from core.sql.ask import ask, context
from core.sql.limits import TO_FILE
from core.types import EpochReport, RunConfig
from recscope import listing, requests
from recscope.dataset import Dataset
from recscope.progress import ProgressLine
from recscope.run import Run
from recscope.tables import Tables, as_files

_log = logging.getLogger("recscope")


class Workspace:
    """Datasets and runs in one folder; made by `recscope.open`.

    >>> ws.datasets()[["name", "events", "users", "items"]]
            name  events  users  items
    0  movielens  100836    610   9724
    >>> ws.runs()[["name", "dataset_name", "model", "state"]]
              name dataset_name        model state
    0  transitions    movielens  transitions  done
    1   popularity    movielens   popularity  done
    """

    def __init__(self, folders: Folders, *, progress: bool = True) -> None:
        self._folders = folders
        self.progress = progress  # whether it is shown

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folders.path

    def datasets(self, *, archived: bool = False) -> pd.DataFrame:
        """id, name, events, users, items, rejected, created, parent, bytes: newest first.

        What cannot be read is left out, which is logged as a warning; see `unreadable`.

        Args:
            archived: Also those that are archived.
        """
        return listing.datasets(self._folders, archived)

    def runs(self, *, archived: bool = False, tag: str | None = None) -> pd.DataFrame:
        """All trainings, newest first, also those under way and those that failed.

        What cannot be read is left out, which is logged as a warning; see `unreadable`.

        Args:
            archived: Also those that are archived.
            tag: Only those that have this tag.

        Returns:
            id, name, dataset, dataset_name, model, split, seed, state (queued, running, done,
            failed, cancelled or killed), message, created, seconds, ndcg@10 and recall@10 (missing
            until evaluated), bytes, tags and note.
        """
        runs = listing.runs(self._folders, archived)
        if tag is None:
            return runs
        tag = requests.text("tag", tag)
        return runs[[tag in tags for tags in runs["tags"]]].reset_index(drop=True)

    def unreadable(self) -> pd.DataFrame:
        """What is damaged or of a newer Recscope: kind (dataset, run, search), id, folder, problem.

        The problem says which file it is, what is wrong with it and what to do. Nothing else is
        affected.
        """
        return listing.unreadable(self._folders)

    def dataset(self, ref: Dataset | str) -> Dataset:
        """The dataset of this id, name or unique beginning of an id; a dataset is itself.

        Raises:
            NotFound: there is none; the sentence lists those that there are.
            BadInput: it fits several.
        """
        if isinstance(ref, Dataset):
            return ref
        return Dataset(self._folders.dataset(requests.reference("dataset", ref)))

    def run(self, ref: Run | str) -> Run:
        """The finished run of this id, name (the newest that bears it) or beginning of an id.

        A run is itself.

        Raises:
            NotFound: there is none; the sentence lists those that there are.
            BadInput: several ids begin so.
        """
        if isinstance(ref, Run):
            return ref
        found = artifact.find_run(self._folders, requests.reference("run", ref))
        return Run(self._folders, found, self.progress)

    def ingest(
        self,
        source: Tables,
        items: Tables | None = None,
        users: Tables | None = None,
        map: Mapping[str, str | None] | None = None,
        name: str | None = None,
        *,
        weights: Mapping[str, float] | None = None,
        clean: Sequence[str] | None = None,
        read_as: Mapping[str, str | int | None] | None = None,
    ) -> Dataset:
        """The dataset made of these tables; the same again is there at once.

        A DataFrame is read exactly as a Parquet file with its columns would be: the same guesses,
        the same rows left out, the same evidence. Its named index levels are columns; an unnamed
        index of whole numbers only counts rows and is left out.

        Args:
            source: A log of who did what: a path, a DataFrame, or a list of them, among which those
                that describe items or users are recognised.
            items: What is known of the items.
            users: What is known of the users.
            map: Role (user_id, item_id, timestamp, event, value, platform) → column, for those that
                are not to be guessed; None says that the log has none.
            name: What it is called; the file's name if not given, "dataframe" for a DataFrame.
            weights: Event type → how much such an event counts, ≥ 0.
            clean: Steps of cleaning, such as ["dedupe", "k_core=5"].
            read_as: How delimited texts are to be read, where that is not to be guessed:
                "delimiter" ("tab" is a word for it), "quote" ("none" without quoting),
                "header_line" (from 1; 0 without one), "comment", and "decimal" ("." or ",").

        Raises:
            BadInput: a table cannot be used; the sentence says why and what would be right.
            TooLarge: it does not fit on the disk or into memory.

        >>> import pandas as pd
        >>> frame = pd.DataFrame({"who": ["a", "a", "b"], "what": [1, 2, 2]})
        >>> other = recscope.open(elsewhere, progress=False)
        >>> other.ingest(frame, map={"user_id": "who", "item_id": "what"}, name="tiny")
        <recscope dataset tiny: 3 events, 2 users, 2 items>
        """
        requests.options("map", map, str | None, "role: column, or role: None")
        requests.options("weights", weights, Real, "event type: number")
        for step in clean if isinstance(clean, list | tuple) else filter(None, [clean]):
            requests.text("a step of clean", step)
        if name is not None:
            name = checked_name(requests.text("name", name))
        with writing(), self._folders.scratch() as scratch, self._shown() as line:
            info = ingest(
                self._folders,
                as_files(source, scratch, "dataframe"),
                items=as_files(items, scratch, "items"),
                users=as_files(users, scratch, "users"),
                mapping=map,
                name=name,
                weights=weights,
                clean=clean,
                read_as=ReadAs.of(read_as or {}),
                progress=line,
            )
        return Dataset(info)

    def clean(
        self,
        dataset: Dataset | str,
        steps: Sequence[str] = (),
        filter: Sequence[str] = (),
        name: str | None = None,
    ) -> Dataset:
        """A version of what a filter and then cleaning leave of a dataset, which stays as it is.

        Args:
            dataset: Of which; or its id or name.
            steps: Of cleaning, such as ["dedupe", "k_core=5"].
            filter: Terms as `Dataset.profile` takes them.
            name: What the version is called; the old name with what was done if not given.

        Raises:
            BadInput: a step or a term that cannot be read, or nothing is left.

        >>> films = ws.clean("movielens", filter=["item.genres=War"], name="war films")
        >>> films
        <recscope dataset war films: 4,859 events, 551 users, 381 items>
        >>> freed = ws.delete(films)
        """
        for what, parts in (("a step", steps), ("a filter", filter)):
            for each in [parts] if isinstance(parts, str) else parts:
                requests.text(what, each)
        info = self.dataset(dataset).info
        with writing(), self._shown() as line:
            terms = [filter] if isinstance(filter, str) else list(filter)
            made = clean(self._folders, info, steps, terms=terms, name=name, progress=line)
        return Dataset(made)

    def train(
        self,
        dataset: Dataset | str,
        model: str,
        split: str = "leave-last-out",
        seed: int = 0,
        device: str = "auto",
        *,
        name: str | None = None,
        cut: str | float = "",
        validate_on: str = "",
        **settings: object,
    ) -> Run:
        """The model fitted to the dataset; a run that is already there is returned at once.

        The training is a job like any other: the pages show how far it is, it waits for those that
        were asked for before, and interrupting the kernel cancels it.

        Args:
            dataset: What to learn from, or its id or name.
            model: "auto", or any other that `recscope models` lists.
            split: What is held out for `Run.evaluate`: each person's last event ("leave-last-out")
                or whole "last-visit", the last period ("by-time"), or "none".
            seed: Of all that is random.
            device: "auto" (a GPU where there is one), "cpu" or "cuda".
            name: What the run is called; the model's name if not given.
            cut: Where "by-time" cuts: a date such as "2024-03-01", or the share after it (0.2).
            validate_on: What decides when a network stops and how a fusion weighs: "next-event" or
                "next-visit" of each person or "next-period" of everyone; "" as the split asks.
            settings: The model's own (`minutes=4`; a fusion's `components=[run, other]`), and which
                encoders read the items: text_model, image_model and images.

        Raises:
            BadInput: an unknown dataset, model or setting, or a value out of range.
            Cancelled: it was interrupted.

        >>> ws.train("movielens", "transitions")
        <recscope run transitions: transitions on movielens>
        >>> ws.train("movielens", "popularity", damping=5)
        Traceback (most recent call last):
        core.errors.BadInput: popularity has no parameter 'damping': it has none
        """
        if isinstance(runs := settings.get("components"), list | tuple):
            settings["components"] = ",".join(self.run(run).id for run in runs)
        encoders = {key: settings.pop(key) for key in CHOICES if key in settings}
        if name is not None:
            requests.text("name", name)
        config = RunRequest(
            self.dataset(dataset).id,
            requests.text("model", model),
            settings,
            split=split,
            seed=requests.whole("seed", seed, least=0),
            device=device,
            features={key: str(value) for key, value in encoders.items() if value is not None},
            cut=str(cut),
            validate_on=validate_on,
        ).resolve(self._folders)
        stored = pipeline.finished_run(self._folders, config, name)
        return Run(self._folders, stored or self._fit(config, name), self.progress)

    def _fit(self, config: RunConfig, name: str | None) -> artifact.Run:
        info = self._folders.dataset(config.dataset)
        with (
            self._shown() as line,
            jobs.train_inline(self._folders, config, info.name, name) as report,
        ):

            def on_stage(stage: str, share: float | None = None) -> None:
                report.stage(stage, share)
                line(stage, share)

            def on_epoch(figures: EpochReport) -> None:
                report.epoch(figures)
                line.epoch(figures)

            return pipeline.fit(
                self._folders, config, name=name, on_stage=on_stage, on_epoch=on_epoch
            )

    def rename(self, thing: Dataset | Run | str, name: str) -> None:
        """Gives a dataset or a run another name; its id, by which all else knows it, stays.

        Raises:
            NotFound: there is no such thing.
            BadInput: it could be several things, or the name is not one printable line of at most
                200 characters.
        """
        holdings.rename(self._folders, _ref(thing), name)

    def archive(self, thing: Dataset | Run | str, *, undo: bool = False) -> None:
        """Leaves a dataset or a run out of lists, or lists it again; it can still be used.

        Raises:
            NotFound: there is no such thing.
            BadInput: it could be several things.
        """
        holdings.archive(self._folders, _ref(thing), undo=undo)

    def delete(self, thing: Dataset | Run | str, *, with_runs: bool = False) -> int:
        """Deletes a run, a search, or a dataset with all that stands on it; nothing undoes it.

        Args:
            thing: What, or its id, or a name that nothing else bears.
            with_runs: Also the runs and searches of a dataset, if there are any.

        Returns:
            The bytes that are free now.

        Raises:
            NotFound: there is no such thing.
            BadInput: it could be several things, a job that is under way needs it, or runs stand on
                it and `with_runs` was not given; the sentence says which.
        """
        planned = holdings.removal(self._folders, _ref(thing))
        if planned.with_it and not with_runs:
            raise BadInput(f"this would delete {planned.sentence}: say with_runs=True to do it")
        freed = planned.bytes
        holdings.delete(self._folders, planned)
        return freed

    def sql(
        self,
        statement: str,
        dataset: Dataset | str | None = None,
        run: Run | str | None = None,
        **params: object,
    ) -> pd.DataFrame:
        """What a statement of your own gives, with the tables and limits of docs/sql.md.

        >>> ws.sql("SELECT count(*) AS n FROM events WHERE user_id = $user", "movielens", user=1)
             n
        0  232

        Args:
            statement: One that asks, such as SELECT.
            dataset: Whose events, items and users are asked; that of the run if not given.
            run: Whose tables are asked; the newest of the dataset if not given.
            **params: What $name in the statement stands for.

        Returns:
            The rows, at most a million; that there are more is logged as a warning.
        """
        info, stored = context(
            self._folders,
            None if dataset is None else self.dataset(dataset).id,
            None if run is None else self.run(run).id,
        )
        values = {name: str(value) for name, value in params.items()}
        answer = ask(
            self._folders, statement, dataset=info, run=stored, values=values, limits=TO_FILE
        )
        if answer.cut:
            _log.warning("%s", answer.sentence)
        frame: pd.DataFrame = answer.table.to_pandas()
        return frame

    def compare(self, *runs: Run | str, metrics: Sequence[str] | str | None = None) -> pd.DataFrame:
        """Each evaluated run against the first, user by user; see core.pipeline.compare.

        Returns:
            run, metric, users, baseline_mean, mean, difference, low, high (95 % of the difference),
            p, and p_holm: p corrected for all rows.

        Raises:
            BadInput: fewer than two runs, one of them twice, or runs not evaluated on the same
                events in the same way.
        """
        if len(runs) < 2:
            raise BadInput(
                f"runs are compared with the first one: give two or more, not {len(runs)}"
            )
        if metrics is not None:
            metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        chosen = [self.run(run) for run in runs]
        return pipeline.compare(self._folders, [run.stored for run in chosen], metrics=metrics)

    def by_person(
        self, run: Run | str, baseline: Run | str, metric: str = "ndcg@10"
    ) -> pd.DataFrame:
        """For whom a run is better than the baseline, and for whom worse.

        Returns:
            user_id, baseline and run (the metric of each), difference (run - baseline): the
            greatest win first, the greatest loss last.

        Raises:
            BadInput: one run twice, not evaluated on the same events in the same way, or without
                this metric.
        """
        return pipeline.by_person(self.run(run).stored, self.run(baseline).stored, metric)

    def report(
        self,
        *runs: Run | str,
        out: str | Path,
        language: str = "en",
        users: Sequence[object] | None = None,
    ) -> Path:
        """Writes one file on these runs of one dataset, to hand on; see docs/report.md.

        Args:
            runs: At least one, each once.
            out: Where it is written; it ends in .html, or in .ipynb for a notebook that makes each
                figure again.
            language: "en" or "zh".
            users: Ids of the people who are shown; three drawn by a fixed seed if not given.

        Returns:
            Where it was written.

        Raises:
            BadInput: no run, one of them twice, runs of several datasets, or a file that cannot
                be written.
            NotFound: somebody is not in the dataset.
        """
        path = Path(out)
        files.check(path, language)
        chosen = [self.run(run).stored for run in runs]
        with self._shown() as line:
            contents = collect(self._folders, chosen, users=users, on_stage=line)
        files.write(self._folders, contents, path, language)
        return path

    def _shown(self) -> ProgressLine:
        return ProgressLine(shown=self.progress)

    def __repr__(self) -> str:
        datasets, runs = len(self._folders.datasets()), len(artifact.list_runs(self._folders))
        return f"<recscope workspace: {_counted(datasets, 'dataset')}, {_counted(runs, 'run')}>"


def _ref(thing: Dataset | Run | str) -> str:
    return str(thing) if isinstance(thing, str) else thing.id


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" + "s" * (n != 1)
