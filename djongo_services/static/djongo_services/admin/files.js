"use strict";

/* Forms that upload work without this: here they show how far they are, and can be stopped. */

(() => {
  function size(bytes) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let at = 0;
    while (bytes >= 1000 && at < units.length - 1) {
      bytes /= 1000;
      at += 1;
    }
    return `${at ? bytes.toFixed(1) : bytes} ${units[at]}`;
  }

  function tell(form, texts) {
    const wrong = form.querySelector(".mongo-wrong");
    wrong.replaceChildren(...texts.map((text) => {
      const note = document.createElement("p");
      note.className = "errornote";
      note.append(document.createElement("bdi"));
      note.firstChild.textContent = text;
      return note;
    }));
  }

  function send(form) {
    const sending = form.querySelector(".mongo-sending");
    const bar = sending.querySelector("progress");
    const words = sending.querySelector("[data-sent]");
    const submit = form.querySelector("input[type=submit]");
    const request = new XMLHttpRequest();

    function end(texts) {
      sending.hidden = true;
      submit.disabled = false;
      tell(form, texts);
    }

    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      bar.max = event.total;
      bar.value = event.loaded;
      words.textContent = event.loaded < event.total
        ? `${size(event.loaded)} / ${size(event.total)}`
        : words.dataset.storing;
    });
    request.addEventListener("load", () => {
      let answer = null;
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        /* An error page of somebody else's. */
      }
      if (answer && answer.url) location.assign(answer.url);
      else end(answer && answer.wrong ? answer.wrong : [`${words.dataset.failed} (${request.status})`]);
    });
    request.addEventListener("error", () => end([words.dataset.failed]));
    request.addEventListener("abort", () => end([]));
    sending.querySelector("[data-stop]").onclick = () => request.abort();

    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.send(new FormData(form));
    tell(form, []);
    bar.removeAttribute("value");
    words.textContent = "";
    sending.hidden = false;
    submit.disabled = true;
  }

  function show(form, chooser) {
    form.querySelector("[data-dropped]").replaceChildren(...[...chooser.files].map((file) => {
      const line = document.createElement("li");
      line.append(document.createElement("bdi"), ` ${size(file.size)}`);
      line.firstChild.textContent = file.name;
      return line;
    }));
  }

  /* What is dropped is chosen, as if by the button. */
  function takeDrops(form) {
    const chooser = form.querySelector("input[type=file]");
    const zone = form.querySelector("[data-drop]");
    if (!chooser || !zone) return;
    zone.hidden = false;
    chooser.addEventListener("change", () => show(form, chooser));
    ["dragover", "dragleave", "drop"].forEach((kind) => form.addEventListener(kind, (event) => {
      if (!event.dataTransfer || ![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      zone.classList.toggle("over", kind === "dragover");
      if (kind !== "drop" || !event.dataTransfer.files.length) return;
      const taken = new DataTransfer();
      const files = [...event.dataTransfer.files];
      (chooser.multiple ? files : files.slice(0, 1)).forEach((file) => taken.items.add(file));
      chooser.files = taken.files;
      show(form, chooser);
    }));
  }

  document.querySelectorAll("form[data-upload]").forEach((form) => {
    takeDrops(form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send(form);
    });
  });

  document.querySelectorAll("[data-check-all]").forEach((all) => {
    const boxes = [...document.querySelectorAll(`input[name=${all.dataset.checkAll}]`)];
    all.hidden = false;
    all.addEventListener("change", () => boxes.forEach((box) => { box.checked = all.checked; }));
    boxes.forEach((box) => box.addEventListener("change", () => {
      all.checked = boxes.every((each) => each.checked);
    }));
  });
})();
