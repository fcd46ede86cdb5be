// The form of a new dream: examples to choose from, the part to try, the plan.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("dream");
  const model = () => form.elements.model.value || form.dataset.model;
  layers(form, model);
  classes(form, model);
  trial(form);
  films(form);

  const planned = document.getElementById("planned"), says = document.getElementById("plan_says");
  document.getElementById("plan").addEventListener("click", async (event) => {
    says.textContent = "Reckoning ...";
    planned.hidden = true;
    event.target.disabled = true;
    const answer = await post(form, form.dataset.plan).finally(() => { event.target.disabled = false; });
    const reply = await answer.json().catch(() => ({ error: "The server did not answer." }));
    says.textContent = reply.error || "";
    planned.textContent = reply.plan || "";
    planned.hidden = !reply.plan;
  });
});

function post(form, address) {
  return fetch(address, { method: "POST", body: new FormData(form), headers: { "X-CSRFToken": studio.token() } });
}

// Choosing a film's format opens the settings of films; giving frames chooses such a format.
function films(form) {
  const { suffix, frames } = form.elements;
  const isFilm = () => suffix.selectedOptions[0].parentElement.label === "A film";
  suffix.addEventListener("change", () => {
    if (isFilm()) document.getElementById("film").open = true;
    if (isFilm() && !frames.value) frames.value = 100;
    if (!isFilm()) frames.value = "";
  });
  frames.addEventListener("change", () => {
    if (frames.value && !isFilm()) suffix.value = ".mp4";
  });
}

function choice(text, address, input, value) {
  const button = document.createElement("button");
  button.type = "button";
  if (address) {
    const image = document.createElement("img");
    image.src = address;
    image.alt = "";
    image.loading = "lazy";
    button.append(image);
  }
  button.append(text);
  button.setAttribute("aria-pressed", String(input.value === value));
  button.addEventListener("click", () => {
    input.value = value;
    button.parentElement.querySelectorAll("button").forEach((other) =>
      other.setAttribute("aria-pressed", String(other === button)));
  });
  return button;
}

function layers(form, model) {
  const input = form.elements.end, list = document.getElementById("layers");
  const place = document.querySelector("#layer-picker .examples");
  let known = null;
  form.querySelectorAll("[data-list]").forEach((field) => field.setAttribute("list", field.dataset.list));

  const fill = () => {
    if (!known) return;
    const wanted = input.value.toLowerCase();
    const exact = known.layers.some((layer) => layer.name.toLowerCase() === wanted);
    const shown = known.layers.map((layer, number) => ({ ...layer, number }))
      .filter((layer) => exact || layer.name.toLowerCase().includes(wanted));
    place.replaceChildren(...shown.map((layer) => choice(layer.name,
      layer.example && `/examples/${model()}/layers/${layer.number}.jpg`, input, layer.name)));
    document.querySelector("#layer-picker [data-note]").hidden = known.complete;
  };
  const load = async () => {
    const wanted = model(), response = await fetch(`/examples/${wanted}/layers.json`);
    if (!response.ok || wanted !== model()) return;
    known = await response.json();
    list.replaceChildren(...known.layers.map((layer) => new Option(layer.name)));
    fill();
    if (!known.complete) setTimeout(() => load().catch(() => {}), 4000);
  };
  load().catch(() => {});
  form.elements.model.addEventListener("change", () => load().catch(() => {}));
  input.addEventListener("input", fill);
}

function classes(form, model) {
  const search = document.getElementById("class_search");
  if (!search) return;
  const input = form.elements.target, place = document.querySelector("#class-picker .examples");
  let timer = null;
  const find = async () => {
    const response = await fetch(`/examples/${model()}/classes.json?q=${encodeURIComponent(search.value)}`);
    const { classes: found } = response.ok ? await response.json() : { classes: [] };
    place.replaceChildren(...found.map(({ number, name }) => {
      const button = choice(`${number} ${name}`, "", input, String(number));
      button.addEventListener("click", () => {
        if (button.querySelector("img")) return;
        const image = document.createElement("img");
        image.alt = "";
        image.src = `/examples/${model()}/classes/${number}.jpg`;
        button.prepend(image);
      });
      return button;
    }));
  };
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, 250); });
  find().catch(() => {});
}

function trial(form) {
  const sizes = JSON.parse(document.getElementById("sizes").textContent);
  const stage = document.getElementById("stage"), view = document.getElementById("view");
  const box = document.getElementById("box"), says = document.getElementById("try_says");
  const [left, top, side] = ["try_left", "try_top", "try_side"].map((id) => document.getElementById(id));
  const picture = () => sizes[form.elements.picture.value];
  const within = (value, least, most) => Math.max(least, Math.min(Math.round(value) || 0, most));

  const draw = () => {
    if (!picture()) return;
    const [width, height] = picture();
    const across = Math.min(within(side.value, form.dataset.least, form.dataset.most), width);
    const down = Math.min(across, height);
    const x = within(left.value, 0, width - across), y = within(top.value, 0, height - down);
    box.style.left = `${100 * x / width}%`;
    box.style.top = `${100 * y / height}%`;
    box.style.width = `${100 * across / width}%`;
    box.style.height = `${100 * down / height}%`;
    document.getElementById("try_region").value = [x, y, across, down].join(",");
  };
  const choose = () => {
    const known = picture();
    stage.hidden = !known;
    if (!known) return;
    view.src = `/pictures/${form.elements.picture.value}/view.jpg`;
    left.max = known[0];
    top.max = known[1];
    left.value = within((known[0] - side.value) / 2, 0, known[0]);
    top.value = within((known[1] - side.value) / 2, 0, known[1]);
    draw();
  };
  // A wrong value of the trial must not keep the form, which it is no part of, from being sent.
  const mend = () => {
    side.value = within(side.value, form.dataset.least, form.dataset.most);
    [left, top].forEach((input) => { input.value = within(input.value, 0, input.max || 0); });
    draw();
  };
  const point = (event) => {
    const frame = view.getBoundingClientRect(), [width, height] = picture();
    left.value = within((event.clientX - frame.left) / frame.width * width - side.value / 2, 0, width);
    top.value = within((event.clientY - frame.top) / frame.height * height - side.value / 2, 0, height);
    draw();
  };
  stage.addEventListener("pointerdown", (event) => { event.preventDefault(); stage.setPointerCapture(event.pointerId); point(event); });
  stage.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
  [left, top, side].forEach((input) => input.addEventListener("input", draw));
  [left, top, side].forEach((input) => input.addEventListener("change", mend));
  form.elements.picture.addEventListener("change", choose);
  choose();

  document.getElementById("only").addEventListener("click", () => {
    form.elements.region.value = document.getElementById("try_region").value;
    form.elements.region.closest("details").open = true;
    says.textContent = picture() ? "The setting 'region' is this part now." : "Choose a picture first.";
  });
  const result = document.getElementById("trial");
  document.getElementById("try").addEventListener("click", async (event) => {
    says.textContent = "Dreaming ...";
    event.target.disabled = true;
    try {
      const answer = await post(form, form.dataset.try);
      if (!answer.ok) throw new Error((await answer.json()).error);
      URL.revokeObjectURL(result.src);
      result.src = URL.createObjectURL(await answer.blob());
      result.hidden = false;
      says.textContent = `Dreamt in ${answer.headers.get("X-Seconds")} s.`;
    } catch (error) {
      says.textContent = error.message || "The server did not answer.";
    }
    event.target.disabled = false;
  });
}
