// What all pages share: sure questions, times in words, and hearing of dreams as they go on.
"use strict";

const studio = {
  token: () => document.querySelector("[name=csrfmiddlewaretoken]").value,

  duration(seconds) {
    if (seconds === null || seconds === undefined) return "";
    if (seconds < 90) return `about ${Math.ceil(seconds)} s left`;
    if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
    return `about ${(seconds / 3600).toFixed(1)} h left`;
  },

  // Calls `hear` with each thing told of a dream after event `last`: by a stream of events, or,
  // where there is none to be had, by asking every few seconds.
  watch(place, hear) {
    let last = place.dataset.last, polling = null;
    const poll = async () => {
      const response = await fetch(`${place.dataset.state}?last=${last}`);
      if (!response.ok) return;
      const told = await response.json();
      last = told.last;
      told.dreams.forEach(hear);
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

  // Shows in `place` what was told of its dream.
  show(place, told) {
    const set = (selector, text) => {
      const element = place.querySelector(selector);
      if (element && element.textContent !== text) element.textContent = text;
    };
    const progress = place.querySelector("progress");
    if (progress) progress.value = told.percent;
    set("[data-percent]", `${told.percent} %`);
    set("[data-left]", studio.duration(told.seconds_left));
    set("[data-says]", [told.phase, told.octaves ? `octave ${told.octave} of ${told.octaves}` : "", told.message]
      .filter(Boolean).join(", "));
    const preview = place.querySelector("[data-preview]");
    if (preview && told.previews && preview.dataset.address) {
      preview.src = `${preview.dataset.address}?${told.previews}`;
      preview.hidden = false;
    } else if (preview && told.previews) {
      preview.src = preview.src.replace(/\?.*/, `?${told.previews}`);
    }
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sure]");
  if (button && !confirm(button.dataset.sure)) event.preventDefault();
});
