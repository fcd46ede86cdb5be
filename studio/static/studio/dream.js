// A dream's page: live while it is dreamt; then two viewers that move as one, or a film.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const live = document.getElementById("live");
  studio.watch(live, (event) => {
    if (event.id !== live.dataset.dream) return;
    if (event.state !== live.dataset.is) location.reload();
    else studio.show(live, event);
  });
  const result = document.getElementById("result");
  if (result) look(result);
  const film = document.getElementById("film");
  if (film) play(film, document.getElementById("play"));
});

// A GIF or WebP has no controls of its own: it is shown, or its last frame is.
function play(film, button) {
  const still = film.src;
  const show = (moving) => {
    film.src = moving ? film.dataset.film : still;
    button.textContent = moving ? "Stop" : "Play";
  };
  button.addEventListener("click", () => show(film.src === still));
  show(!matchMedia("(prefers-reduced-motion: reduce)").matches);
}

function look(result) {
  const viewers = document.getElementById("viewers");
  const open = (id, address) => OpenSeadragon({
    id, tileSources: address, showNavigationControl: false, gestureSettingsMouse: { clickToZoom: false },
    // Two pictures at a time are no work for a 2D canvas; WebGL is not everywhere.
    drawer: "canvas", maxZoomPixelRatio: 8, minZoomImageRatio: 0.8, preserveImageSizeOnResize: true,
  });
  const after = open("after", result.dataset.after);
  if (!result.dataset.before) { viewers.className = "viewers after"; return; }
  const before = open("before", result.dataset.before);

  let leading = null;
  const follow = (one, other) => one.addHandler("viewport-change", () => {
    if (leading === other) return;
    leading = one;
    other.viewport.zoomTo(one.viewport.getZoom(), null, true);
    other.viewport.panTo(one.viewport.getCenter(), true);
    leading = null;
  });
  follow(after, before);
  follow(before, after);

  const split = document.getElementById("split");
  const divide = () => viewers.style.setProperty("--split", `${split.value}%`);
  split.addEventListener("input", divide);
  divide();
  document.querySelectorAll("[data-mode]").forEach((button) => button.addEventListener("click", () => {
    viewers.className = `viewers ${button.dataset.mode}`;
    document.getElementById("divider").hidden = button.dataset.mode !== "slider";
    document.querySelectorAll("[data-mode]").forEach((other) =>
      other.setAttribute("aria-pressed", String(other === button)));
  }));
}
