"use strict";

/* Everything works without this: it copies, and hides what an operator does not need. */

(() => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const source = document.querySelector(button.dataset.copy);
    const said = document.querySelector("[data-copied]");
    button.hidden = false;
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(source);
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        document.execCommand("copy"); /* Where the site has no TLS there is no clipboard. */
      }
      said.hidden = false;
    });
  }

  const WITHOUT_TYPE = ["exists", "missing", "type", "begins"];
  const WITHOUT_VALUE = ["exists", "missing"];
  for (const row of document.querySelectorAll(".mongo-condition")) {
    const operator = row.querySelector("[name=o]");
    const type = row.querySelector("[name=t]");
    const value = row.querySelector("[name=v]");
    const fit = () => {
      const name = operator.value;
      type.closest("label").hidden = WITHOUT_TYPE.includes(name);
      value.closest("label").hidden = WITHOUT_VALUE.includes(name) || (type.value === "null" && !WITHOUT_TYPE.includes(name));
    };
    operator.addEventListener("change", fit);
    type.addEventListener("change", fit);
    fit();
  }
})();
