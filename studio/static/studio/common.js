// Shared by all pages: questions before deletions, times in words, live events of dreams.
"use strict";

const studio = {
  token: () => document.querySelector("[name=csrfmiddlewaretoken]").value,

  duration(seconds) {
    if (seconds === null || seconds === undefined) return "";
    if (seconds < 90) return `about ${Math.ceil(seconds)} s left`;
    if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
    return `about ${(seconds / 3600).toFixed(1)} h left`;
  },

  // Calls `hear` with each event after number `last`: from a stream of events, or, where there is
  // none to be had, by asking for the state every few seconds.
  watch(place, hear) {
    let last = place.dataset.last, polling = null;
    const poll = async () => {
      const response = await fetch(`${place.dataset.state}?last=${last}`);
      if (!response.ok) return;
      const state = await response.json();
      last = state.last;
      state.dreams.forEach(hear);
    };
    const fallBack = () => { polling = polling || setInterval(() => poll().catch(() => {}), 3000); };
    if (!window.EventSource) return fallBack();
    const source = new EventSource(`${place.dataset.events}?last=${last}`);
    source.onopen = () => { clearInterval(polling); polling = null; };
    source.onmessage = (event) => { last = event.lastEventId; hear(JSON.parse(event.data)); };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) fallBack();
    };
    addEventListener("pagehide", () => source.close());
  },

  // Shows an event in the `place` of its dream.
  show(place, dream) {
    const set = (selector, text) => {
      const element = place.querySelector(selector);
      if (element && element.textContent !== text) element.textContent = text;
    };
    const progress = place.querySelector("progress");
    if (progress) progress.value = dream.percent;
    set("[data-percent]", `${dream.percent} %`);
    set("[data-left]", studio.duration(dream.seconds_left));
    set("[data-says]", [dream.phase, dream.octaves ? `octave ${dream.octave} of ${dream.octaves}` : "", dream.message]
      .filter(Boolean).join(", "));
    const preview = place.querySelector("[data-preview]");
    if (preview && dream.previews && preview.dataset.address) {
      preview.src = `${preview.dataset.address}?${dream.previews}`;
      preview.hidden = false;
    } else if (preview && dream.previews) {
      preview.src = preview.src.replace(/\?.*/, `?${dream.previews}`);
    }
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sure]");
  if (button && !confirm(button.dataset.sure)) event.preventDefault();
});
