"use strict";

/* Everything works without this: it only keeps what is under way in view. */

(() => {
  const EVERY = 1000;

  function follow(section) {
    const bar = section.querySelector("progress");
    const phase = section.querySelector("[data-phase]");
    const figures = section.querySelector("[data-figures]");

    async function look() {
      try {
        const answer = await fetch(section.dataset.progress, {headers: {Accept: "application/json"}});
        if (!answer.ok) throw new Error(answer.statusText);
        const {run} = await answer.json();
        if (!run || !run.is_running) {
          location.reload();
          return;
        }
        phase.textContent = run.phase;
        figures.textContent = run.figures;
        if (run.total) {
          bar.max = run.total;
          bar.value = run.done;
        } else {
          bar.removeAttribute("value");
        }
        (run.steps || []).forEach(({number, status, state}) => {
          const shown = document.querySelector(`[data-status="${number}"]`);
          if (!shown || shown.textContent === status) return;
          shown.textContent = status;
          shown.className = `mongo-state ${state}`;
        });
      } catch {
        /* The server is away; the next look tells. */
      }
      setTimeout(look, EVERY);
    }

    setTimeout(look, EVERY);
  }

  document.querySelectorAll("[data-progress]").forEach(follow);
  if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 2 * EVERY);
})();
