"use strict";

/* Everything works without this: it hides the inputs that an operator does not need. */

(() => {
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
